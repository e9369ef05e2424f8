"""`python -m local.embedded --port 4566 --folder DIR`: serve the embedded AWS until SIGTERM or Ctrl-C.

Prints `ready http://127.0.0.1:4566` when it is ready. DIR is for its use alone: it holds the jobs' files, the
log and, in the file `secret`, the secret access key of the account's root, which no other user can read.
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import sys
from pathlib import Path

# From <malloc.h>.
M_TRIM_THRESHOLD, M_ARENA_MAX = -1, -8
# A deployment makes many objects that stay; Python would search them for garbage every 700.
COLLECT_EVERY = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.embedded", description="Serve the embedded AWS.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="for what later servers can use again; they may share it"
    )
    parser.add_argument(
        "--quota",
        type=_quota,
        action="append",
        default=[],
        metavar="NAME=N",
        help='an account quota, as in "ml.m5.large for training job usage=4"; without it there is no limit',
    )
    parser.add_argument(
        "--without-iam",
        action="store_true",
        help="let every program on this machine do everything, unsigned or with any credentials, with roles "
        "that need not exist; web pages are still blocked",
    )
    arguments = parser.parse_args()
    # Only the owner can read the files written here, including those of jobs and functions.
    os.umask(0o077)
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=folder / "embedded.log",
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s [%(name)s] %(message)s",
    )
    # Modules stay: searching them for garbage takes a fifth of the start.
    gc.disable()
    # The SDK takes it where it is, and Python's own elsewhere.
    sys.modules["OpenSSL"] = None  # type: ignore[assignment]
    from local.embedded import server

    aws = server.build(
        arguments.port,
        folder,
        cache=arguments.cache and arguments.cache.resolve(),
        quotas=dict(arguments.quota),
        enforce_iam=not arguments.without_iam,
    )
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    gc.enable()
    share_the_machine()
    code = 0
    try:
        # Not asyncio.run: it would wait for every thread that a request has started.
        loop = asyncio.new_event_loop()
        loop.run_until_complete(server.serve(aws, arguments.port, lambda: _say_ready(arguments.port)))
    except OSError as error:
        print(f"cannot listen on 127.0.0.1:{arguments.port}: {error}", file=sys.stderr, flush=True)
        code = 1
    aws.sagemaker.close()
    sys.stdout.flush()
    # Threads that wait in the emulator (an open approval, say) must not keep the process alive.
    os._exit(code)


def _quota(text: str) -> tuple[str, int]:
    name, _, number = text.rpartition("=")
    return name, int(number)


def share_the_machine() -> None:
    """Make this process of many threads a better neighbour of the jobs."""
    # A thread whose wait is over goes on soon, not after another one has computed for 5 ms.
    sys.setswitchinterval(0.001)
    # All threads share one heap, since only one of them computes at a time; memory freed in it goes back.
    with contextlib.suppress(AttributeError):  # the C library is not glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
        ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, 1 << 20)


def _say_ready(port: int) -> None:
    print(f"ready http://127.0.0.1:{port}", flush=True)


if __name__ == "__main__":
    main()

"""Runs `python -m <module> ...` and ends it when the parent process is gone, even by `kill -9`.

The parent holds the other end of this process's standard input and writes nothing to it, so reading ends when
the parent does.
"""

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    # Not sys.stdin: its lock, held by this thread, would stop the interpreter from ending by itself.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)

"""The log of a call, up to the line that says that the function has ended.

ministack takes what a function writes until it pauses for 5 ms, or 50 ms if it has written nothing: longer
than many functions run.
"""

from collections.abc import Callable, Iterator
from queue import Empty
from typing import Any, Protocol

from local.embedded.seams.names import ANSWER_SENT

# How often a call whose function may have died looks whether it lives.
_LOOK_SECONDS = 0.25


class Lines(Protocol):
    """What a function writes, line by line; raises Empty if it writes nothing for so many seconds."""

    def get(self, *, timeout: float) -> str: ...


def install_function_logs() -> None:
    """Let Python functions end the log of each call, before they answer."""
    from ministack.core import lambda_runtime

    ending = 'print("END RequestId:", _ms_ctx.get("request_id"), file=sys.stderr, flush=True)'
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(ANSWER_SENT, f"        {ending}\n{ANSWER_SENT}")
    worker_class = lambda_runtime.Worker
    original_invoke, original_drain = worker_class.invoke, worker_class._drain_stderr_bounded

    def invoke(worker: Any, event: Any, request_id: str, **more: Any) -> Any:
        worker.request_id = request_id
        return original_invoke(worker, event, request_id, **more)

    def drain(worker: Any, **waits: float) -> Any:
        if not worker.config.get("Runtime", "").startswith("python"):
            return original_drain(worker, **waits)
        end = f"END RequestId: {worker.request_id}"
        return "\n".join(lines_until(end, worker._stderr_queue, lambda: _lives(worker)))

    worker_class.invoke, worker_class._drain_stderr_bounded = invoke, drain


def lines_until(end: str, lines: Lines, lives: Callable[[], bool]) -> Iterator[str]:
    """The lines before `end`, which may follow an unfinished line; all, if a function has died before it."""
    while True:
        try:
            line = lines.get(timeout=_LOOK_SECONDS)
        except Empty:
            if lives():
                continue
            return
        if line.endswith(end):
            yield from filter(None, [line.removesuffix(end)])
            return
        yield line


def _lives(worker: Any) -> bool:
    # ministack forgets the process of a call that failed.
    return worker._proc is not None and worker._proc.poll() is None

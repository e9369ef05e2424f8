"""`python -m local.cli.compiled`: has Python compile what a first `mpg run` imports.

`make setup` ends with it. Otherwise each process of the first run would compile what it shares with the
others, all at the same time. Compiling everything that is installed would take a minute.
"""

import compileall
import importlib
import multiprocessing
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec

from local.cli import sam_interpreter
from local.embedded import function_zygote
from local.sagemaker.engines import processes

# What each kind of process imports.
PROCESSES: tuple[Sequence[str], ...] = (
    processes.PRELOAD,
    sam_interpreter.PRELOAD,
    ("local.embedded.server", "hypercorn.asyncio", "local.cli.run", *function_zygote.PRELOAD),
)
# Its services are imported when they are first called.
WHOLE = "ministack"


def main() -> None:
    with multiprocessing.get_context("spawn").Pool() as pool:
        everything = pool.map_async(_import, PROCESSES)
        _compile(WHOLE)
        everything.get()


def _import(names: Sequence[str]) -> None:
    for name in names:
        # Whoever needs it reports that it is missing.
        with suppress(ImportError):
            importlib.import_module(name)


def _compile(package: str) -> None:
    found = find_spec(package)
    for folder in (found.submodule_search_locations or []) if found else []:
        compileall.compile_dir(folder, quiet=2)


if __name__ == "__main__":
    main()

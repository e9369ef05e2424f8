"""Turns a fork of the warm interpreter into a job that behaves like ``python3 script.py``."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import io
import os
import pkgutil
import re
import runpy
import signal
import sys
import tempfile
import threading
import traceback
import types
import zipimport
from pathlib import Path
from typing import Any, NoReturn

from local.sagemaker.engines.warm import namespace, translation, tree
from local.sagemaker.engines.warm.hiding import hide, top_of

# Options without effect here: output is always passed on line by line.
IGNORED_OPTIONS = ("-u", "-B")


def run(request: dict[str, Any], output_fd: int, *others: int, last_inherited: int) -> NoReturn:
    """Become the job, and end with its exit code. The other descriptors are its standard input, if it has
    one, and a network to join; it keeps none of those up to the last inherited one."""
    stdin_fd, network = (others[0], others[1:]) if request["stdin"] else (None, others)
    os.setsid()
    reset_signals()
    tree.adopt_orphans()
    namespace.join(network)
    connect_streams(output_fd, stdin_fd, last_inherited)
    try:
        request = enter_container(request)
        # Set last, because the kernel resets it when a process changes its user.
        tree.die_with_parent()
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        # The warm interpreter has cached another value than that of TMPDIR.
        tempfile.tempdir = None
        renew_randomness()
        code = run_command(request["argv"], request["hidden_modules"])
    except OSError as error:
        print(error, file=sys.stderr)
        code = 1
    end(code)


def enter_container(request: dict[str, Any]) -> dict[str, Any]:
    """Make the job's folder its /opt/ml; returns the request with the container's paths."""
    if request["folder"] is None:
        return request
    if request["namespaces"]:
        options = {name: request[name] for name in ("network", "confined", "frugal")}
        namespace.enter(Path(request["folder"]), **options)
        return request
    translation.refuse_literal_paths()
    return translation.translated(request)


def connect_streams(output_fd: int, stdin_fd: int | None, last_inherited: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null if stdin_fd is None else stdin_fd, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    os.closerange(3, max(last_inherited, null, 64) + 1)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = output_stream(1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = output_stream(2)  # type: ignore[misc]


def output_stream(fd: int) -> io.TextIOWrapper:
    """A line-buffered stream, so that lines of stdout and stderr stay in order (the images use no buffer)."""
    binary = open(fd, "wb", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(binary, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def reset_signals() -> None:
    """Undo the keeper's signal handlers."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def renew_randomness() -> None:
    """Reseed NumPy, or all forks would draw the same numbers. (``random`` reseeds itself after a fork.)"""
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def run_command(argv: list[str], hidden_modules: list[str]) -> int:
    if argv[0] != "-m" and not re.fullmatch(r"python[\d.]*", Path(argv[0]).name):
        execute(argv)
    rest = argv if argv[0] == "-m" else argv[1:]
    while rest and rest[0] in IGNORED_OPTIONS:
        rest = rest[1:]
    if len(rest) > 1 and rest[0] == "-m":
        return run_module(rest[1], rest[2:], hidden_modules)
    if rest and not rest[0].startswith("-"):
        return run_script(rest[0], rest[1:], hidden_modules)
    return execute([sys.executable, *rest])


def execute(argv: list[str]) -> NoReturn:
    """Run the command; one that is neither a Python script nor a module replaces this process."""
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - the job's own command
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
        end(127)


def run_module(name: str, arguments: list[str], hidden_modules: list[str]) -> int:
    hide(hidden for hidden in hidden_modules if hidden != top_of(name))
    # The warm interpreter may have imported it, so that no job has to compile it. runpy would warn.
    is_package = hasattr(sys.modules.get(name), "__path__")
    sys.modules.pop(f"{name}.__main__" if is_package else name, None)
    sys.argv = [name, *arguments]
    set_path(str(Path.cwd()))
    return exit_code_of(lambda: runpy.run_module(name, run_name="__main__", alter_sys=True))


def run_script(script: str, arguments: list[str], hidden_modules: list[str]) -> int:
    if pkgutil.get_importer(script):
        return run_packed(script, arguments, hidden_modules)
    try:
        source = Path(script).read_bytes()
    except OSError as error:
        print(f"python3: can't open file {script!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return 2
    hide(hidden_modules)
    sys.argv = [script, *arguments]
    set_path(str(Path(script).resolve().parent))
    main = types.ModuleType("__main__")
    main.__file__ = str(Path(script).absolute())
    sys.modules["__main__"] = main
    return exit_code_of(lambda: exec(compile(source, script, "exec", dont_inherit=True), vars(main)))  # noqa: S102 - a job is code


def run_packed(script: str, arguments: list[str], hidden_modules: list[str]) -> int:
    """Run the ``__main__`` of a zip file or folder with the function with which Python does."""
    hide(hidden_modules)
    sys.argv = [script, *arguments]
    set_path(script)
    sys.modules["__main__"] = types.ModuleType("__main__")
    # zipimport compiles a module to find it, and again to run it.
    compile_once = functools.cache(zipimport._compile_source)  # type: ignore[attr-defined]
    zipimport._compile_source = compile_once  # type: ignore[attr-defined]
    return exit_code_of(lambda: runpy._run_module_as_main("__main__", alter_argv=False))  # type: ignore[attr-defined]


def set_path(first: str) -> None:
    extra = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:0] = [first, *extra]


def exit_code_of(program: Any) -> int:
    """Run it; returns Python's exit code, after printing Python's own message about an error to stderr."""
    try:
        program()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return (stop.code or 0) & 0xFF
        print(stop.code, file=sys.stderr)
        return 1
    except BaseException as error:
        # The first two frames are this function and its lambda.
        below = error.__traceback__ and error.__traceback__.tb_next and error.__traceback__.tb_next.tb_next
        error.__traceback__ = below
        sys.excepthook(type(error), error, below)
        return 1
    return 0


def end(code: int) -> NoReturn:
    """End as the interpreter does, but without the slow teardown of a hundred libraries."""
    steps = (threading._shutdown, atexit._run_exitfuncs, flush_c_streams)  # type: ignore[attr-defined]
    for step in steps:
        try:
            step()
        except BaseException:
            traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def flush_c_streams() -> None:
    ctypes.CDLL(None).fflush(None)

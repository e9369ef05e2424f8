"""Jobs as forks of the warm interpreter: what a job sees, how it ends, and that no process remains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.sagemaker.engines import processes
from local.sagemaker.engines.processes import Command, Exit, WarmWorkers
from local.sagemaker.engines.warm import tree

if TYPE_CHECKING:
    from tests.unit.engines.conftest import Runner

pytestmark = pytest.mark.enable_socket

OK = Exit(0, "exited")


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.01)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_lines_of_stdout_and_stderr_come_in_the_order_they_were_written(runner: Runner) -> None:
    script = """
import sys
for n in range(200):
    print(n, file=sys.stderr if n % 3 else sys.stdout)
print("no newline at the end", end="")
"""
    run = runner.start(script)

    assert run.wait() == OK
    assert run.lines == [str(n) for n in range(200)] + ["no newline at the end"]


def test_a_line_arrives_while_the_job_still_runs(runner: Runner) -> None:
    heard = threading.Event()
    run = runner.start("print('ready'); input()", stdin=True, on_line=lambda _: heard.set())

    assert heard.wait(10)
    run.process.send("go on")
    assert run.wait() == OK


def test_a_job_sees_what_a_python_script_sees(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("NAME = __name__")
    script = """
import beside, os, pathlib, sys
import __main__
assert __name__ == "__main__" and __main__.__file__ == __file__ == sys.argv[0]
assert sys.path[0] == str(pathlib.Path(__file__).resolve().parent)
assert sys.stdin.read() == ""
print(beside.NAME, sys.argv[1:], os.getcwd(), sorted(os.environ), os.environ["COLOUR"])
"""
    run = runner.start(script, "--level", "3 4", env={"COLOUR": "grün"})

    assert run.wait() == OK, run.lines
    names = ["COLOUR", "HOME", "LANG", "PATH"]
    assert run.lines == [f"beside ['--level', '3 4'] {tmp_path.resolve()} {names} grün"]


def test_the_libraries_are_there_before_a_job_asks_for_them(runner: Runner) -> None:
    run = runner.start("import sys; print({'numpy', 'pandas', 'sklearn', 'xgboost'} <= set(sys.modules))")

    run.wait()
    assert run.lines == ["True"]


def test_a_program_that_the_warm_interpreter_has_imported_runs_as_if_it_had_not(tmp_path: Path) -> None:
    workers, lines = WarmWorkers(preload=("calendar", "ensurepip.__main__"), namespaces=False), list[str]()
    try:
        for argv in (("-m", "calendar", "2024", "2"), ("-m", "ensurepip", "--version")):
            assert workers.spawn(Command(argv, {}, tmp_path), on_line=lines.append).wait() == OK
    finally:
        workers.close()

    assert lines[0].strip() == "February 2024"
    assert not [line for line in lines if "Warning" in line]


def test_a_job_ends_with_what_libraries_do_last_except_those_that_no_image_has(runner: Runner) -> None:
    script = """
import atexit, sys
called = []
sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
atexit._run_exitfuncs()
sys.setprofile(None)
print([name for name in ("_exit_function", "cleanup", "shutdown") if name in called])
"""
    run = runner.start(script)

    assert run.wait() == OK
    # Those of multiprocessing and logging, and not that of ONNX.
    assert run.lines == ["['_exit_function', 'shutdown']"]


def test_a_jobs_temporary_files_are_in_its_own_tmpdir(runner: Runner, tmp_path: Path) -> None:
    run = runner.start("import tempfile; print(tempfile.mkdtemp())", env={"TMPDIR": str(tmp_path)})

    assert run.wait() == OK
    assert Path(run.lines[0]).parent == tmp_path


def test_no_descriptor_but_the_three_standard_ones_reaches_a_job(runner: Runner) -> None:
    script = """
import os
for fd in range(3, 256):
    try:
        os.fstat(fd)
        print(fd)
    except OSError:
        pass
"""
    run = runner.start(script)

    assert run.wait() == OK
    assert run.lines == []


def test_two_jobs_do_not_draw_the_same_random_numbers(runner: Runner) -> None:
    script = "import random, numpy; print(random.random(), numpy.random.rand())"
    runs = [runner.start(script), runner.start(script)]
    for run in runs:
        run.wait()

    first, second = (run.lines[0].split() for run in runs)
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_a_killed_job_ends_as_if_its_machine_had_killed_it(runner: Runner) -> None:
    run = runner.start("import time; print('ready'); time.sleep(60)")
    wait_until(lambda: run.lines == ["ready"])
    run.process.kill()

    assert run.wait() == Exit(None, "exited")


def test_a_job_goes_on_when_what_it_started_is_killed(runner: Runner) -> None:
    script = """
import subprocess
child = subprocess.Popen(["sleep", "60"])
print("ready")
print(child.wait())
"""
    run = runner.start(script)
    wait_until(lambda: run.lines == ["ready"])
    run.process.kill("children")

    assert (run.wait(), run.lines) == (OK, ["ready", "-9"])


@pytest.mark.parametrize(
    ("script", "code", "last_line"),
    [
        ("pass", 0, None),
        ("raise SystemExit", 0, None),
        ("import sys; sys.exit(3)", 3, None),
        ("import sys; sys.exit(-1)", 255, None),
        ("import sys; sys.exit('no such column')", 1, "no such column"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("def f(:", 1, "SyntaxError: invalid syntax"),
        ("import os; os._exit(7)", 7, None),
        ("import atexit, sys; atexit.register(print, 'bye'); sys.exit(4)", 4, "bye"),
        ("import threading as t; t.Timer(0.05, print, ['late']).start()", 0, "late"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", None, None),
    ],
)
def test_a_job_ends_with_the_code_and_the_words_that_python_gives(
    runner: Runner, script: str, code: int | None, last_line: str | None
) -> None:
    run = runner.start(script)

    assert run.wait() == Exit(code, "exited")
    assert (run.lines[-1] if run.lines else None) == last_line


def test_the_traceback_shows_the_script_and_nothing_of_what_runs_it(runner: Runner, tmp_path: Path) -> None:
    run = runner.start("def load():\n    raise ValueError('row 7')\n\nload()\n")

    run.wait()
    assert run.lines[0] == "Traceback (most recent call last):"
    assert [line for line in run.lines if line.startswith("  File")] == [
        f'  File "{tmp_path}/script0.py", line 4, in <module>',
        f'  File "{tmp_path}/script0.py", line 2, in load',
    ]


def test_a_missing_script_is_reported_in_pythons_words(runner: Runner, tmp_path: Path) -> None:
    run = runner.spawn(Command(("python3", "/nowhere/preprocess.py"), {}, tmp_path))

    assert run.wait() == Exit(2, "exited")
    assert run.lines == [
        "python3: can't open file '/nowhere/preprocess.py': [Errno 2] No such file or directory"
    ]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("-m", "json.tool", "data.json"), '{"a": 1}'),
        (("python3", "-m", "json.tool", "--compact", "data.json"), '{"a":1}'),
        (("/usr/bin/python3.12", "-u", "say.py"), "said"),
        (("python3", "-c", "print('short')"), "short"),
        (("sh", "-c", "echo shell"), "shell"),
    ],
)
def test_modules_options_and_other_programs_run_too(
    runner: Runner, tmp_path: Path, argv: tuple[str, ...], expected: str
) -> None:
    (tmp_path / "data.json").write_text('{"a": 1}')
    (tmp_path / "say.py").write_text("print('said')")
    run = runner.spawn(Command(argv, {}, tmp_path))

    assert run.wait() == OK, run.lines
    assert "".join(line.strip() for line in run.lines) == expected


def test_a_missing_program_ends_with_127(runner: Runner, tmp_path: Path) -> None:
    run = runner.spawn(Command(("no-such-program",), {}, tmp_path))

    assert run.wait() == Exit(127, "exited")
    assert run.lines == ["no-such-program: No such file or directory"]


def test_hidden_modules_and_their_submodules_cannot_be_imported_even_though_they_are_warm(
    runner: Runner,
) -> None:
    script = """
import importlib.util, numpy
print(importlib.util.find_spec("xgboost"))
for name in ("xgboost", "xgboost.core", "local.sagemaker.engines.images"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        print(error, error.name)
"""
    run = runner.start(script, hidden_modules=frozenset({"xgboost", "local"}))

    assert run.wait() == OK
    assert run.lines == [
        "None",
        "No module named 'xgboost' xgboost",
        "No module named 'xgboost' xgboost",
        "No module named 'local' local",
    ]


def test_a_hidden_module_that_the_job_brings_itself_is_imported(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "brought" / "onnx").mkdir(parents=True)
    (tmp_path / "brought" / "onnx" / "__init__.py").touch()
    (tmp_path / "brought" / "onnx" / "helper.py").write_text("VALUE = 7")
    script = f"""
import importlib.util, sys
print(importlib.util.find_spec("onnx"))
sys.path.insert(0, {str(tmp_path / "brought")!r})
from onnx.helper import VALUE
print(VALUE, importlib.util.find_spec("onnxruntime"))
"""
    run = runner.start(script, hidden_modules=frozenset({"onnx", "onnxruntime"}))

    assert run.wait() == OK
    assert run.lines == ["None", "7 None"]


def test_a_stopped_job_may_print_before_it_ends(runner: Runner) -> None:
    started = threading.Event()
    script = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit("saved"))
print("ready")
signal.pause()
"""
    run = runner.start(script, on_line=lambda _: started.set())
    assert started.wait(10)
    run.process.stop(grace=10)

    assert run.wait() == Exit(1, "stopped")
    assert run.lines == ["ready", "saved"]


def test_a_job_that_ignores_sigterm_is_killed_with_all_its_children(runner: Runner) -> None:
    """Even with a daemon that has left the job's session, which only Linux lets us find."""
    started = threading.Event()
    sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    script = f"""
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for new_session in (False, sys.platform == "linux"):
    print(subprocess.Popen([sys.executable, "-c", {sleeper!r}], start_new_session=new_session).pid)
print("ready")
signal.pause()
"""
    run = runner.start(script, on_line=lambda line: started.set() if line == "ready" else None)
    assert started.wait(10)
    run.process.stop()

    assert run.wait() == Exit(None, "stopped")
    assert all(is_gone(int(line)) for line in run.lines[:2])


def test_children_left_behind_end_with_the_job(runner: Runner) -> None:
    script = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)
"""
    run = runner.start(script)

    assert run.wait() == OK
    assert is_gone(int(run.lines[0]))


def test_the_end_of_a_job_ends_nothing_of_another_one(runner: Runner) -> None:
    """Not even a daemon, whose parent has ended."""
    script = """
import subprocess, sys
start = "import subprocess; print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)"
subprocess.run([sys.executable, "-c", start])
print("ready")
sys.stdin.read()
"""
    first, second = runner.start(script, stdin=True), runner.start(script, stdin=True)
    wait_until(lambda: all(run.lines[-1:] == ["ready"] for run in (first, second)))
    daemons = [int(run.lines[0]) for run in (first, second)]
    first.process.close_stdin()

    assert first.wait() == OK
    assert [is_gone(pid) for pid in daemons] == [sys.platform == "linux", False]
    second.process.close_stdin()
    assert second.wait() == OK


def test_a_job_stopped_before_it_began_ends_as_stopped(runner: Runner) -> None:
    run = runner.start("import time; time.sleep(600)")
    run.process.stop(grace=0)
    run.process.stop(grace=0)

    assert run.wait() == Exit(None, "stopped")


def test_a_job_that_takes_too_long_is_timed_out(runner: Runner) -> None:
    run = runner.start("import time; time.sleep(600)", timeout=0.1)

    assert run.wait() == Exit(None, "timed_out")


def test_a_job_that_takes_too_much_memory_is_killed(runner: Runner) -> None:
    script = "import time; hoard = bytearray(b'x' * 400_000_000); print('full'); time.sleep(600)"
    run = runner.start(script, memory_bytes=300_000_000)

    assert run.wait() == Exit(None, "out_of_memory")


def test_the_memory_of_a_jobs_children_counts_as_well(runner: Runner) -> None:
    script = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        hoard = bytearray(b'x' * 100_000_000)
        break
time.sleep(600)
"""
    run = runner.start(script, memory_bytes=350_000_000)

    assert run.wait() == Exit(None, "out_of_memory")


@pytest.mark.skipif(not tree.HAS_PROC, reason="only /proc tells what is shared")
def test_memory_that_is_shared_with_the_warm_interpreter_is_not_counted_for_each_child(
    runner: Runner,
) -> None:
    """Each of these four holds some 150 MB of libraries, which are the same 150 MB."""
    script = """
import os, time
os.fork(), os.fork()
time.sleep(0.8)
"""
    run = runner.start(script, memory_bytes=350_000_000)

    assert run.wait() == OK


def test_an_exception_in_on_line_is_raised_by_wait_and_the_job_still_ends(runner: Runner) -> None:
    def refuse(_: str) -> None:
        raise LookupError("no such log group")

    run = runner.start("print('first'); print('second')", on_line=refuse)

    with pytest.raises(LookupError, match="no such log group"):
        run.wait()
    assert run.lines == ["first", "second"]


def test_nothing_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text("import os, time; print(os.getpid(), os.getppid()); time.sleep(600)")
    server = f"""
import sys, time
from pathlib import Path
from local.sagemaker.engines.processes import Command, WarmWorkers
workers = WarmWorkers(preload=())
command = Command(("python3", {str(job)!r}), {{}}, Path("/"))
workers.spawn(command, on_line=lambda line: print(line, flush=True))
print(*(each.process.pid for each in workers._interpreters.values()), flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", server], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    ) as process:
        assert process.stdout is not None
        pids = [int(pid) for _ in range(2) for pid in process.stdout.readline().split()]
        process.send_signal(signal.SIGKILL)

    assert len(pids) == 3
    wait_until(lambda: all(is_gone(pid) for pid in pids))


def test_close_stops_everything_and_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("import time; time.sleep(600)")
    workers = WarmWorkers(preload=(), grace=0.1)
    workers.start()
    process = workers.spawn(Command(("python3", str(tmp_path / "job.py")), {}, tmp_path), on_line=print)
    workers.close()
    workers.close()

    assert process.wait() == Exit(None, "stopped")
    with pytest.raises(RuntimeError, match="closed"):
        workers.start()


def test_a_killed_interpreter_is_replaced_for_the_next_job(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("print('here')")
    command = Command(("python3", str(tmp_path / "job.py")), {}, tmp_path)
    lines: list[str] = []
    workers = WarmWorkers(preload=())
    workers.start()
    (zygote,) = (each.process for each in workers._interpreters.values())
    assert zygote is not None
    zygote.kill()
    zygote.wait()

    assert workers.spawn(command, on_line=lines.append).wait() == OK
    assert lines == ["here"]
    workers.close()


def test_a_job_that_was_still_waiting_for_the_imports_ends_when_the_workers_close(tmp_path: Path) -> None:
    workers = WarmWorkers(preload=("pandas", "sklearn.metrics"))
    process = workers.spawn(Command(("python3", "-c", "pass"), {}, tmp_path), on_line=print)
    workers.close()

    assert process.wait() == Exit(None, "stopped")


def test_jobs_start_where_descriptors_must_be_acknowledged_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS."""
    monkeypatch.setattr(processes, "ACKNOWLEDGE", True)
    (tmp_path / "job.py").write_text("print('here')")
    lines: list[str] = []
    workers = WarmWorkers(preload=())
    command = Command(("python3", str(tmp_path / "job.py")), {}, tmp_path)
    running = [workers.spawn(command, on_line=lines.append) for _ in range(3)]

    assert [process.wait() for process in running] == [OK, OK, OK]
    assert lines == ["here"] * 3
    workers.close()


def test_a_job_may_be_stopped_at_the_moment_it_ends(runner: Runner) -> None:
    for _ in range(10):
        said = threading.Event()
        run = runner.start("print('done')", on_line=lambda _, said=said: said.set())  # type: ignore[misc]
        assert said.wait(10)
        run.process.stop(grace=5)
        assert run.wait().reason in ("exited", "stopped")


@pytest.mark.skipif(not tree.HAS_PROC, reason="only /proc tells the threads of a process")
def test_the_warm_interpreter_has_one_thread_since_a_fork_would_lose_the_others(runner: Runner) -> None:
    runner.start("pass").wait()
    zygote = runner.workers._interpreters[runner.workers._own].process
    assert zygote is not None

    assert len(list(Path(f"/proc/{zygote.pid}/task").iterdir())) == 1

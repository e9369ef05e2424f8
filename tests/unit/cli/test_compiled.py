"""What `make setup` compiles is what the processes of a run import."""

from importlib.util import find_spec

from local.cli.compiled import PROCESSES, WHOLE


def test_everything_that_is_compiled_is_there() -> None:
    names = [WHOLE, *(name for process in PROCESSES for name in process)]
    assert [name for name in names if find_spec(name) is None] == []

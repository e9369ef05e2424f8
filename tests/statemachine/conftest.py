"""ministack's Step Functions in this process, without a server and without waiting."""

import pytest

from local.embedded import seams
from local.embedded.iam import Questions
from tests.statemachine.machine import TASKS


@pytest.fixture(scope="session", autouse=True)
def step_functions(tmp_path_factory: pytest.TempPathFactory) -> None:
    # ministack reads the environment on import; nothing else in this process should see it.
    with pytest.MonkeyPatch.context() as environment:
        for name, value in seams.settings(1, tmp_path_factory.mktemp("ministack"), "secret").items():
            environment.setenv(name, value)
        assert seams.check() == []
        seams.install_machine(TASKS)
        seams.install_branches(TASKS, Questions())


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFN_WAIT_SCALE", "0")

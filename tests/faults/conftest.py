"""One `mpg up` for the session, with shortened waits; every test leaves it without faults."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.cli.deploy import set_parameters
from tests.conftest import free_port
from tests.e2e.mpg import Place, wait_for
from tests.e2e.up import TRIALS
from tests.faults.pipeline import Pipeline
from tests.faults.tally import Tally

TALLY = pytest.StashKey[Tally]()
# The wait between a state's retries, as a fraction of the wait on AWS: 30 seconds become 0.15.
WAIT_SCALE = "0.005"


class QuickPlace(Place):
    """A place for an mpg with shorter waits between attempts."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "SFN_WAIT_SCALE": WAIT_SCALE}


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = Tally()


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash[TALLY]


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> QuickPlace:
    return QuickPlace.under(tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="session")
def deployed(place: QuickPlace, tally: Tally) -> Iterator[Pipeline]:
    log, port = place.state.parent / "log", free_port()
    process = place.start("up", "--port", str(port), log=log)
    try:
        wait_for(log, r"Ctrl-C stops it", process)
        pipeline = Pipeline(place.endpoint, next(place.temporary.glob("mpg-*")), tally)
        # Tests of their own turn releases on.
        set_parameters(pipeline.endpoint, {"MaxTrials": TRIALS, "EndpointType": "none"})
        # Warms the functions, and makes a champion with which every later run compares itself.
        first = pipeline.upload()
        assert first.ends().outcome == "pending"
        assert first.approve().outcome == "approved"
        first.reported()
        # Most faults come after the jobs; a test whose jobs are the point says so.
        pipeline.reuse = True
        yield pipeline
        pipeline.settle_mails()
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def pipeline(deployed: Pipeline) -> Iterator[Pipeline]:
    deployed.runs = []
    yield deployed
    deployed.heal()
    deployed.settle()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker passes its tally to the process that reports."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["tally"] = session.config.stash[TALLY].as_data()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[TALLY].add(getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash[TALLY]
    if not tally.uploads:
        return
    terminalreporter.section("faults")
    terminalreporter.line(
        f"uploads {tally.uploads}, events delivered {tally.events}, faults injected {sum(tally.faults.values())}, "
        f"processes killed {tally.killed}, runs lost {len(tally.lost)}, runs doubled {len(tally.doubled)}, "
        f"mails doubled {len(tally.mails_doubled)}, and {len(tally.mails_doubled_knowingly)} as a test expects"
    )
    for operation, number in sorted(tally.faults.items()):
        terminalreporter.line(f"  {number:5}  {operation}")
    for problem in tally.problems:
        terminalreporter.line(f"  {problem}")

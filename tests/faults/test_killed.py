"""The embedded AWS itself dies in the middle of a run: nothing is left, and the next start says so."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cli.instance import AWS_FOLDER
from tests.conftest import Aws, eventually, free_port, make_role
from tests.e2e.mpg import wait_for
from tests.faults.conftest import QuickPlace
from tests.faults.pipeline import Pipeline, processes
from tests.faults.tally import Tally
from tests.integration.sagemaker.conftest import ROLE, SKLEARN

NOTHING: dict[str, list[str]] = {"processes": [], "temporary files": [], "unfinished state": []}
READY = r"Ctrl-C stops it"
JOB, SLEEP = "mpg-sleep", "import time; time.sleep(600)"


class Started:
    """An `mpg up` to be killed."""

    def __init__(self, place: QuickPlace, log: Path) -> None:
        self.place, self.log, self.port = place, log, free_port()
        self.process = place.start("up", "--port", str(self.port), log=log)

    def with_a_job_before_it_is_ready(self) -> None:
        """Wait until a job runs, while it still deploys."""
        wait_for(self.log, r"ok +Start the embedded AWS", self.process)
        work = next(self.place.temporary.glob("mpg-*"))
        aws = Aws(self.port, work / AWS_FOLDER)
        make_role(aws, ROLE.rpartition("/")[2])
        aws.client("sagemaker").create_processing_job(
            ProcessingJobName=JOB,
            RoleArn=ROLE,
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 5}
            },
            AppSpecification={"ImageUri": SKLEARN, "ContainerEntrypoint": ["python3", "-c", SLEEP]},
        )
        eventually(lambda: processes("mountinfo", str(work), JOB) or processes("cwd", str(work), JOB))

    def with_a_run_in_the_middle(self) -> None:
        wait_for(self.log, READY, self.process)
        work = next(self.place.temporary.glob("mpg-*"))
        pipeline = Pipeline(self.place.endpoint, work, Tally())
        with pipeline.instead_of("preprocess", SLEEP):
            run = pipeline.upload()
            eventually(lambda: pipeline.running_jobs(run), 60)

    def embedded(self) -> int:
        (pid,) = processes("cmdline", "local.embedded", str(self.port))
        return pid

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)


@pytest.fixture
def killed_place(tmp_path: Path) -> QuickPlace:
    return QuickPlace.under(tmp_path)


@pytest.fixture
def started(killed_place: QuickPlace, tmp_path: Path) -> Iterator[Started]:
    found = Started(killed_place, tmp_path / "log")
    yield found
    found.close()


def test_mpg_up_and_its_embedded_aws_are_killed_and_nothing_is_left_but_a_word_about_what_was_lost(
    started: Started, tmp_path: Path
) -> None:
    """Both deaths in a row, because each `mpg up` takes as long as many tests."""
    # When mpg up is killed, with the SAM CLI and a job at work
    started.with_a_job_before_it_is_ready()
    started.process.kill()
    started.process.wait()
    eventually(lambda: started.place.leftovers()["processes"] == [])
    # Then the next one says so, and works
    again = Started(started.place, tmp_path / "again")
    try:
        text = wait_for(again.log, READY, again.process).string
        assert "was killed. Its uploads, jobs, models and mails are lost." in text
        assert len(list(started.place.temporary.glob("mpg-*"))) == 1
        pipeline = Pipeline(again.place.endpoint, started.place.temporary, Tally())
        assert pipeline.upload().ends().outcome == "pending"
        # When its embedded AWS is killed
        again.with_a_run_in_the_middle()
        os.kill(again.embedded(), signal.SIGKILL)
        # Then it ends with everything, and says so
        assert again.process.wait(30) == 2
        assert "The embedded AWS ended by itself" in again.log.read_text()
    finally:
        again.close()
    eventually(lambda: started.place.leftovers() == NOTHING)

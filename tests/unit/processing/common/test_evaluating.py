"""The generic job, with the smallest workload."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common import bootstrap
from common.evaluating import main
from common.evaluation import Baseline, Comparison, Evaluation, Gate, Metric, SmokeTest
from common.workload import Workload
from tests.unit.processing.conftest import pack, sha256

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-guess/7"


class Job:
    """Runs the job on the output of the other steps."""

    def __init__(self, workload: Workload, model: Path, prepared: Path, folder: Path) -> None:
        self.workload, self.model, self.prepared, self.folder = workload, model, prepared, folder
        self.prepared_digest = sha256(prepared / "summary.json")
        self.output, self.bundle = folder / "out", folder / "out" / "model.tar.gz"

    def run(self, *more: object) -> int:
        arguments = ["--model", self.model, "--prepared", self.prepared, "--output", self.output]
        arguments += ["--exit-message", self.folder / "message"]
        digests = ["--prepared-digest", self.prepared_digest]
        return main(self.workload, [*map(str, arguments), *digests, *map(str, more)])

    @property
    def message(self) -> str:
        return (self.folder / "message").read_text()

    @property
    def content(self) -> Any:
        return json.loads((self.output / "evaluation.json").read_text())


@pytest.fixture
def job(guess: Workload, guess_trained: Path, guess_prepared: Path, tmp_path: Path) -> Job:
    return Job(guess, guess_trained, guess_prepared, tmp_path)


def test_the_evaluation_is_what_the_workload_measured_and_the_exit_message_its_digest(job: Job) -> None:
    assert job.run() == 0
    assert job.message == sha256(job.output / "evaluation.json")
    found = Evaluation.from_json(job.content)
    assert (found.workload, found.title) == ("guess", "Guessed numbers")
    assert found.metrics == (
        Metric("miss", "Distance to the test number", 1.0),
        Metric("mean", "Mean", 15.0),
    )
    assert (found.gate, found.passed) == (Gate("miss", at_most=10), True)
    assert found.baseline == Baseline("guessing nothing", 16.0)
    assert found.rows["uploaded"] == 4
    assert found.warnings == ("these are few numbers", "a guess")
    assert found.batch_columns == ("number", "guess")
    assert len(found.figures) == 1
    assert found.smoke_test == SmokeTest("text/csv", "text/csv", 1, "16\n", "15.0\n", 1e-6)


def test_sagemakers_layout_is_beside_the_evaluation(job: Job) -> None:
    job.run()
    assert job.content["regression_metrics"] == {"mae": {"value": 1.0}}


def test_the_log_has_the_evaluation_without_its_long_parts(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    job.run()
    logged = json.loads(capsys.readouterr().out)
    assert logged["metrics"] == job.content["metrics"]
    assert not logged.keys() & {"figures", "smoke_test"}


def test_the_evaluation_has_the_digests_of_its_files(job: Job, tmp_path: Path) -> None:
    job.run()
    digests = job.content["digests"]
    assert digests["upload"] == sha256(tmp_path / "numbers.txt")
    assert digests["trained_model"] == sha256(job.model)
    assert digests["model"] == sha256(job.bundle)


def test_the_bundle_serves_by_itself_if_its_files_are_the_evaluated_ones(job: Job, tmp_path: Path) -> None:
    job.run()
    shutil.unpack_archive(job.bundle, tmp_path / "bundle")
    code = (
        "import wsgi, io; "
        "environ = {'PATH_INFO': '/invocations', 'REQUEST_METHOD': 'POST', 'CONTENT_LENGTH': '3', "
        "'wsgi.input': io.BytesIO(b'1\\n2')}; print(b''.join(wsgi.main(environ, lambda *_: None)))"
    )
    digest = job.content["digests"]["model_files"]
    environment = {"MODEL_FILES_DIGEST": digest, "PYTHONPATH": str(tmp_path / "bundle" / "code")}
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("b'15.0\\n15.0\\n'\n", "")


def test_the_same_model_gives_the_same_bundle(job: Job) -> None:
    job.run()
    before = job.bundle.read_bytes()
    job.run()
    assert job.bundle.read_bytes() == before


def test_another_model_than_the_one_whose_digest_is_told_is_not_evaluated(job: Job) -> None:
    assert job.run("--model-digest", sha256(job.model)) == 0
    job.model.write_bytes(job.model.read_bytes() + b" ")
    assert job.run("--model-digest", job.content["digests"]["trained_model"]) == 1
    assert job.message.startswith("the trained model was changed after it was written")


@pytest.mark.parametrize("name", ["summary.json", "test/test.csv", "train/train.csv", "train/train.manifest"])
@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_changed_data_stop_the_evaluation(name: str, change: str, job: Job) -> None:
    changed = job.prepared / name
    changed.write_bytes(changed.read_bytes() + b" ") if change == "changed" else changed.unlink()
    assert job.run() == 1
    assert job.message.startswith(name if name == "summary.json" else f"prepared/{name}")
    assert "upload the file again" in job.message
    assert not job.output.exists()


@pytest.mark.parametrize(
    ("added", "named"),
    [
        (["train/extra.csv"], "prepared/train/extra.csv"),
        (["a", "b/c", "d"], "prepared/a, prepared/b/c, prepared/d"),
        (["a", "b", "c", "d"], "prepared/a, prepared/b, prepared/c and others"),
        ([f"\x1b[2J{'x' * 200}"], f"prepared/ [2J{'x' * 96}"),
    ],
)
def test_an_added_file_stops_the_evaluation(added: list[str], named: str, job: Job) -> None:
    for name in added:
        (job.prepared / name).parent.mkdir(exist_ok=True)
        (job.prepared / name).touch()
    assert job.run() == 1
    assert job.message.startswith(
        f"{named}: no step of this run wrote that. Find out who put it there, delete it"
    )
    assert not job.output.exists()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (b"", "model.tar.gz is damaged"),
        (b"not gzip", "model.tar.gz is no whole gzip file"),
        (pack(), "model.tar.gz holds no mean.txt"),
        (pack(("mean.txt", b"x")), "mean.txt is no number"),
        (None, "model.tar.gz is missing"),
    ],
)
def test_a_model_that_is_broken_ends_the_job_with_its_reason(
    model: bytes | None, reason: str, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    job.model.unlink() if model is None else job.model.write_bytes(model)
    assert job.run() == 1
    assert job.message == f"the trained model cannot be evaluated: {reason}"
    assert capsys.readouterr().err == job.message + "\n"
    assert not (job.output / "evaluation.json").exists()


def test_without_a_champion_there_is_none(job: Job) -> None:
    job.run()
    assert (job.content["champion"], job.content["champion_problem"]) == (None, "")


@pytest.mark.parametrize("digest", [True, False])
def test_the_champion_is_measured_on_the_same_rows_by_the_gates_metric(
    digest: bool, job: Job, tmp_path: Path
) -> None:
    champion = tmp_path / "champion.tar.gz"
    champion.write_bytes(pack(("mean.txt", b"20"), ("code/inference.py", b"raise SystemExit('run')")))
    more = ["--champion-digest", sha256(champion)] if digest else []
    assert job.run("--champion", champion, "--champion-arn", ARN, *more) == 0
    assert job.content["champion"] == {
        "model_package_arn": ARN,
        "value": 4.0,
        "comparison": None,
        "change": None,
    }


def test_the_champion_is_compared_row_by_row(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "FEWEST_ROWS", 1)
    champion = tmp_path / "champion.tar.gz"
    champion.write_bytes(pack(("mean.txt", b"20")))
    assert job.run("--champion", champion, "--champion-arn", ARN) == 0
    found = Evaluation.from_json(job.content).champion
    assert found
    assert found.comparison == Comparison(-3.0, -3.0, -3.0, 0.95, 1, 2000)


@pytest.mark.parametrize("values", [[], [3.0]])
def test_values_of_another_metric_than_the_gates_are_refused(
    values: list[float], job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = job.workload.module("evaluate")
    measure = steps.measure
    monkeypatch.setattr(steps, "measure", lambda *given: replace(measure(*given), gate_values=values))
    assert job.run() == 1
    assert job.message == "guess/evaluate.py: the mean of gate_values is not miss, 1"


@pytest.mark.parametrize(
    ("champion", "digest", "problem"),
    [
        (pack(), "", "champion.tar.gz holds no mean.txt"),
        (pack(("mean.txt", b"x")), "", "mean.txt is no number"),
        (b"", "", "champion.tar.gz is damaged"),
        (pack(("mean.txt", b"1")), "sha256:0", "its model.tar.gz was changed after it was registered"),
        (None, "", "its model.tar.gz was deleted, or was never among the pipeline's kept models"),
        (None, "sha256:0", "its model.tar.gz was deleted, or was never among the pipeline's kept models"),
    ],
)
def test_a_champion_that_cannot_be_used_does_not_stop_the_new_model(
    champion: bytes | None, digest: str, problem: str, job: Job, tmp_path: Path
) -> None:
    path = tmp_path / "champion.tar.gz"
    if champion is not None:
        path.write_bytes(champion)
    more = ["--champion-digest", digest] if digest else []
    assert job.run("--champion", path, "--champion-arn", ARN, *more) == 0
    assert job.content["champion"] is None
    assert job.content["champion_problem"] == f"{ARN} cannot be compared: {problem}"


def test_a_champion_needs_its_name(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        job.run("--champion", job.model)
    assert "--champion and --champion-arn belong together" in capsys.readouterr().err


def test_nan_is_never_written(job: Job) -> None:
    """JSON has no NaN, so the evaluation would be unreadable."""
    job.model.write_bytes(pack(("mean.txt", b"nan")))
    assert job.run() == 1
    assert not (job.output / "evaluation.json").exists()


def test_a_gate_that_is_not_measured_is_named_and_nothing_is_left_to_register(job: Job) -> None:
    job.workload = Workload("guess", {**job.workload.settings, "gate": {"metric": "other", "at_most": 1}})
    assert job.run() == 1
    assert job.message == "guess/evaluate.py does not measure other, the gate's metric"
    assert not (job.output / "evaluation.json").exists()

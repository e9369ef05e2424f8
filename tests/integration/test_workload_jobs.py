"""Every workload goes through its jobs: prepared, trained a little, evaluated and served, as it was published and
with what its images have. What can be asked without running them: tests/unit/workloads."""

import csv
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.sagemaker.engines.environments import make
from local.sagemaker.engines.images import IMAGES, Image
from local.sagemaker.engines.processes import Command, WarmWorkers
from tests.channels import read_channel
from tests.pytorch import PYTORCH, ROOT, why_left_out
from tests.unit.workloads.folders import EXAMPLES, PROCESSING, Folder, folders

from common.baseline import SAMPLE, read_baseline  # isort: skip
from common.baseline_files import FILES, STATISTICS  # isort: skip
from common.evaluation import Evaluation  # isort: skip
from packing import pack  # isort: skip
from wheels import collect  # isort: skip
from workload_files import read_workloads  # isort: skip
from common.smoke_test import compare_answers  # isort: skip

DIGEST, COUNTS = "sha256:", {"uploaded", "labelled", "unlabelled", "train", "validation", "test", "batch"}
SHORTEN = """
import sys
from pyarrow import parquet
parquet.write_table(parquet.read_table(sys.argv[1]).slice(0, 500), sys.argv[2])
"""


def needs_pytorch(folder: Folder) -> bool:
    return str(folder.settings["training"]["image"]).startswith("pytorch")


WORKLOADS = [each for each in folders(PROCESSING, EXAMPLES) if not (needs_pytorch(each) and why_left_out())]


def cars(file: Path) -> None:
    file.write_bytes((ROOT / "data" / "auto-mpg.csv").read_bytes())


def pictures(file: Path) -> None:
    python = str(make(PYTORCH, print).executable)
    subprocess.run([python, "-c", SHORTEN, str(ROOT / "data" / "digits.parquet"), str(file)], check=True)


def irises(file: Path) -> None:
    from sklearn.datasets import load_iris  # too slow for every worker's collection

    flowers = load_iris()
    names = [flowers.target_names[kind] for kind in flowers.target]
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sepal_length", "sepal_width", "petal_length", "petal_width", "species"])
        writer.writerows([*map(str, row), name] for row, name in zip(flowers.data, names, strict=True))


SAMPLES: dict[str, Callable[[Path], None]] = {"auto_mpg": cars, "digits": pictures, "iris": irises}


@dataclass(frozen=True)
class Journey:
    """What a workload's jobs left in a folder."""

    workload: Folder
    folder: Path
    workers: WarmWorkers

    def image(self, step: str) -> Image:
        """The one that a step's workload.json names."""
        name = self.workload.settings[step]["image"]
        (found,) = (image for image in IMAGES if image.repository.removeprefix("sagemaker-") == name)
        return found

    def run(self, image: Image, *command: object, **environment: str) -> tuple[int | None, list[str]]:
        """The exit code and the lines of a program that has an image's libraries and hardly any environment."""
        lines: list[str] = []
        python = make(PYTORCH, print) if image.environment else None
        argv = tuple(map(str, command))
        job = Command(argv, environment, self.folder, image.hidden_modules, python=python)
        return self.workers.spawn(job, on_line=lines.append, timeout=250).wait().code, lines

    def script(self, step: str, *command: object, **environment: str) -> list[str]:
        """The lines of a script that succeeds in the image of a step."""
        code, lines = self.run(self.image(step), "python3", *command, **environment)
        assert code == 0, lines
        return lines

    def step(self, step: str, *options: object) -> None:
        image = {"preprocess": "preprocessing", "evaluate": "evaluation"}[step]
        self.script(image, self.folder / "code" / "code.zip", step, self.workload.name, *options)

    def read(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text())

    def serve(self, content_type: str, **bodies: bytes) -> Path:
        """Send these requests to the image's server, up to the first that it refuses; the folder of answers."""
        folder = self.folder / "-".join(bodies)
        requests, responses = folder / "requests", folder / "responses"
        requests.mkdir(parents=True)
        for name, body in bodies.items():
            (requests / name).write_bytes(body)
        model = self.workload.settings["model"]
        variables = {
            key: value.replace("/opt/ml", str(self.folder)) for key, value in model["environment"].items()
        }
        variables["MODEL_FILES_DIGEST"] = self.read("output/evaluation.json")["digests"]["model_files"]
        image = self.image("model")
        arguments = [self.folder, requests, responses, content_type, model["accept"], "isolated"]
        code, lines = self.run(image, *(image.server or ()), *arguments, **variables)
        assert code == 1, lines
        return responses


def publish_to(folder: Path, workload: Folder) -> None:
    """Put the workload's packed code into `code/`, and unpack what training jobs get of it into `scripts/`."""
    source = folder / "source"
    source.mkdir()
    shutil.copy(PROCESSING / "run.py", source)
    for package in (PROCESSING / "common", workload.path):
        shutil.copytree(package, source / package.name)
    collect.main("this", folder / "layer" / "published_wheels")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder / "layer")
        patch.delitem(sys.modules, "published_wheels", raising=False)
        packed = pack(source, read_workloads(source, {"MseThreshold": "46.0"}))
    for name, content in packed.items():
        path = folder / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    shutil.unpack_archive(folder / "code" / "sourcedir.tar.gz", folder / "scripts")
    shutil.rmtree(source)


def sha256(path: Path) -> str:
    return DIGEST + hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def workers() -> Iterator[WarmWorkers]:
    """What runs the jobs of the local SageMaker, each as a fork: PyTorch alone takes seconds to import."""
    started = WarmWorkers()
    yield started
    started.close()


@pytest.fixture(scope="module", params=WORKLOADS, ids=lambda folder: folder.name)
def journey(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, workers: WarmWorkers
) -> Journey:
    """The workload published with `common` and nothing else, and what its jobs made of a sample."""
    workload: Folder = request.param
    folder = tmp_path_factory.mktemp(workload.name)
    publish_to(folder, workload)
    journey = Journey(workload, folder, workers)
    upload = folder / f"upload{workload.settings['upload']['suffixes'][0]}"
    SAMPLES[workload.name](upload)
    options = ["--upload", upload, "--upload-digest", sha256(upload), "--output", folder / "prepared"]
    options += ["--output-uri", "s3://bucket/prepared", "--exit-message", folder / "prepared-digest"]
    journey.step("preprocess", *options)
    train(journey)
    options = ["--model", folder / "trained.tar.gz", "--prepared", folder / "prepared"]
    options += ["--prepared-digest", (folder / "prepared-digest").read_text(), "--output", folder / "output"]
    if workload.settings["evaluation"].get("wheels"):
        options += ["--wheels", folder / "code" / "wheels"]
    journey.step("evaluate", *options, "--exit-message", folder / "evaluation-digest")
    shutil.unpack_archive(folder / "output" / "model.tar.gz", folder / "model")
    return journey


def train(journey: Journey) -> None:
    """One trial with the first values of the search, as little of it as there can be."""
    training, trained = journey.workload.settings["training"], journey.folder / "trained"
    trained.mkdir()
    if program := training.get("program"):
        channels = {
            f"SM_CHANNEL_{each.upper()}": str(journey.folder / "prepared" / each)
            for each in ("train", "validation")
        }
        settings = {
            **training["hyperparameters"],
            "epochs": "1",
            "checkpoints": str(journey.folder / "checkpoints"),
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        script = journey.folder / "scripts" / program
        journey.script("training", script, *arguments, SM_MODEL_DIR=str(trained), SM_NUM_GPUS="0", **channels)
    else:
        import xgboost

        rows = read_channel(journey.folder / "prepared" / "train")
        matrix = xgboost.DMatrix(rows[:, 1:], rows[:, 0])
        settings = {name: value for name, value in training["hyperparameters"].items() if name != "num_round"}
        (trained / "xgboost-model").write_bytes(xgboost.train(settings, matrix, 5).save_raw("ubj"))
    with tarfile.open(journey.folder / "trained.tar.gz", "w:gz") as tar:
        tar.add(trained, ".")


def test_preprocessing_counts_its_rows_and_names_the_files_of_each_channel(journey: Journey) -> None:
    summary = journey.read("prepared/summary.json")
    rows = summary["rows"]
    assert rows.keys() >= COUNTS
    assert all(rows[name] > 0 for name in COUNTS - {"unlabelled"})
    assert rows["labelled"] + rows["unlabelled"] == rows["uploaded"]
    for channel in ("train", "validation", "batch"):
        prefix, *names = journey.read(f"prepared/{channel}/{channel}.manifest")
        assert prefix == {"prefix": f"s3://bucket/prepared/{channel}/"}
        assert names
        for name in names:
            path = f"{channel}/{name}"
            assert summary["digests"][path] == sha256(journey.folder / "prepared" / path)
    assert journey.workload.settings["batch"]["file"] in names
    assert (journey.folder / "prepared-digest").read_text() == sha256(
        journey.folder / "prepared/summary.json"
    )


def test_the_evaluation_is_one_that_pages_and_mails_can_read(journey: Journey) -> None:
    written = journey.read("output/evaluation.json")
    evaluation = Evaluation.from_json(written)
    assert (evaluation.workload, evaluation.title) == (
        journey.workload.name,
        journey.workload.settings["title"],
    )
    assert {metric.name for metric in evaluation.metrics} >= {journey.workload.settings["gate"]["metric"]}
    assert evaluation.figures
    assert evaluation.rows == journey.read("prepared/summary.json")["rows"]
    assert written.keys() & {"regression_metrics", "multiclass_classification_metrics"}
    # What the page is ready to read, and what the state machine can carry of it.
    assert (journey.folder / "output/evaluation.json").stat().st_size < 1 << 20
    assert len(json.dumps(evaluation.summary())) < 64 << 10


# What a workload's monitoring.py says of the sample, with the model and without, as JSON.
WATCH = """
import json, sys
from pathlib import Path
code, name, prepared, model = sys.argv[1:]
sys.path.insert(0, code)
from common.columns import row_count
from common.workload import find_workload
workload = find_workload(name)
monitoring, answer = workload.module("monitoring"), workload.answerer(Path(model))
found = []
for request, labels in monitoring.sample(Path(prepared)):
    answered = answer(request)
    columns = {**monitoring.features(request, Path(model)), **monitoring.predictions(answered)}
    found.append({
        "columns": list(columns), "rows": row_count(columns), "labels": len(labels),
        "without a model": [*monitoring.features(request, None), *monitoring.predictions(answered)],
        "keys": monitoring.keys(request).tolist(),
        "errors": monitoring.errors(answered, labels).tolist(),
    })
print(json.dumps(found))
"""


def test_a_watched_workload_says_the_same_columns_and_a_key_and_an_error_for_each_row(
    journey: Journey,
) -> None:
    baseline = {name: journey.folder / "output" / name for name in FILES}
    digests = journey.read("output/evaluation.json")["digests"]
    if not (journey.workload.path / "monitoring.py").exists():
        assert not digests.keys() & set(FILES)
        assert not any(path.exists() for path in baseline.values())
        return
    assert {name: digests[name] for name in FILES} == {name: sha256(path) for name, path in baseline.items()}
    (journey.folder / "watch.py").write_text(WATCH)
    arguments = [journey.folder / "code" / "code.zip", journey.workload.name, journey.folder / "prepared"]
    said = journey.script("evaluation", "watch.py", *arguments, journey.folder / "model")
    known = read_baseline(baseline[STATISTICS].read_text())
    parts = json.loads(said[-1])
    for part in parts:
        assert part["columns"] == part["without a model"] == list(known.features)
        assert "prediction" in part["columns"]
        assert part["rows"] == part["labels"] == len(part["keys"]) == len(part["errors"])
    keys = [key for part in parts for key in part["keys"]]
    assert keys == sorted(keys)
    assert len(keys) == known.rows == min(journey.read("prepared/summary.json")["rows"]["labelled"], SAMPLE)


def test_lines_are_predicted_as_the_evaluation_says_until_one_is_no_record(journey: Journey) -> None:
    settings, rows = journey.workload.settings, journey.read("prepared/summary.json")["rows"]
    batch = (journey.folder / "prepared" / "batch" / settings["batch"]["file"]).read_bytes()
    expected = Evaluation.from_json(journey.read("output/evaluation.json")).smoke_test
    assert expected
    assert (expected.content_type, expected.accept) == (
        settings["model"]["content_type"],
        settings["model"]["accept"],
    )
    assert expected.rows == min(20, rows["test"])
    responses = journey.serve(
        settings["model"]["content_type"], a_test=expected.request.encode(), batch=batch, blank=b"\n"
    )
    compare_answers(expected.answer, (responses / "a_test").read_text(), expected.tolerance)
    answers = (responses / "batch").read_text().splitlines()
    assert len(answers) == len(batch.splitlines()) == rows["batch"]
    refused = json.loads((responses / "refused.json").read_text())
    assert (refused["request"], refused["status"]) == ("blank", 400)
    assert refused["body"].startswith("record 1")
    assert "Traceback" not in refused["body"]


def test_a_model_is_there_as_onnx_if_its_workload_says_so(journey: Journey) -> None:
    evaluation = Evaluation.from_json(journey.read("output/evaluation.json"))
    path = journey.folder / "output" / "model.onnx"
    assert path.is_file() == ("onnx" in journey.workload.settings)
    if path.is_file():
        assert evaluation.onnx
        assert evaluation.onnx.rows == evaluation.rows["test"]
        assert evaluation.onnx.largest_difference <= evaluation.onnx.tolerance
        assert evaluation.digests["onnx"] == sha256(path)
    else:
        assert (evaluation.onnx, evaluation.digests.get("onnx")) == (None, None)


def test_a_body_of_another_type_is_a_415_that_says_what_to_send(journey: Journey) -> None:
    responses = journey.serve("text/html", html=b"1")
    refused = json.loads((responses / "refused.json").read_text())
    assert refused["status"] == 415
    assert refused["body"].startswith("content type text/html is not supported; send ")


def test_a_bundle_that_was_changed_is_not_served(journey: Journey) -> None:
    code = journey.folder / "model" / "code" / journey.workload.name / "inference.py"
    before = code.read_bytes()
    code.write_bytes(before + b"# changed\n")
    try:
        responses = journey.serve(journey.workload.settings["model"]["content_type"], changed=b"\n")
    finally:
        code.write_bytes(before)
    # One server does not even start, the other has no worker.
    assert json.loads((responses / "refused.json").read_text())["status"] in (None, 503)

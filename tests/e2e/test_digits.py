"""Digits on the same `mpg up` as cars: from a Parquet file to the approved model, and files that are none."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cli.deploy import set_parameters
from local.sagemaker.engines.environments import make
from tests.conftest import eventually
from tests.e2e.up import SAMPLE, TRIALS, Up
from tests.e2e.visitor import Answer, approve, look
from tests.pytorch import PYTORCH, ROOT

DIGITS = ROOT / "data" / "digits.parquet"
# Enough to learn from in seconds, and for a model that the gate lets through.
IMAGES = 3000
SHORTEN = """
import sys
from pyarrow import parquet
file, images, shorter = sys.argv[1:]
parquet.write_table(parquet.read_table(file).slice(0, int(images)), shorter)
"""
OTHER_LAYOUT = """
import sys
import pyarrow
from pyarrow import parquet
parquet.write_table(pyarrow.table({"picture": [b"1"] * 300, "digit": [1] * 300}), sys.argv[1])
"""
pytestmark = pytest.mark.timeout(600)


def with_pyarrow(script: str, *arguments: object) -> None:
    python = str(make(PYTORCH, print).executable)
    subprocess.run([python, "-c", script, *map(str, arguments)], check=True)


@pytest.fixture(scope="module", autouse=True)
def _two_trials_on_spot_instances(up: Up) -> Iterator[None]:
    """A search as small as one can be, and the setting with which scripts keep checkpoints."""
    set_parameters(up.endpoint, {"MaxTrials": "2", "UseSpot": "true"})
    yield
    set_parameters(up.endpoint, {"MaxTrials": TRIALS, "UseSpot": "false"})


@pytest.fixture(scope="module")
def pending(up: Up, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run that waits for its approval."""
    file = tmp_path_factory.mktemp("digits") / "digits.parquet"
    with_pyarrow(SHORTEN, DIGITS, IMAGES, file)
    code, result = up.place.run_json(str(file), "--decision", "none")
    assert (code, result["outcome"]) == (0, "pending"), result
    return result


@pytest.fixture(scope="module")
def page(pending: dict[str, Any]) -> Answer:
    """Its review page."""
    (mail,) = pending["mails"]
    link = re.search(r"^http://\S+/review/\S+$", mail["text"], re.MULTILINE)
    assert link is not None
    return look(link.group())


def test_a_network_is_searched_for_and_measured(pending: dict[str, Any]) -> None:
    assert (pending["workload"], pending["trials"]) == ("digits", 2)
    assert pending["gate"] == {"metric": "accuracy", "at_least": 0.95, "passed": True}
    assert pending["accuracy"] == pending["metrics"]["accuracy"] >= 0.95
    assert {"learning-rate", "weight-decay", "dropout", "batch-size"} <= set(pending["best_hyperparameters"])
    assert "-digits/" in pending["model_package_arn"]


def test_each_trial_leaves_a_checkpoint(up: Up, pending: dict[str, Any]) -> None:
    bucket, _, key = pending["predictions_uri"].removeprefix("s3://").partition("/")
    run = "/".join(key.split("/")[:2])
    found = up.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{run}/checkpoints/")["Contents"]
    kept = [each["Key"] for each in found if each["Key"].endswith("/checkpoint.pth")]
    assert len(kept) == pending["trials"]


def test_a_prediction_is_joined_to_its_image(up: Up, pending: dict[str, Any]) -> None:
    bucket, _, key = pending["predictions_uri"].removeprefix("s3://").partition("/")
    lines = up.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()
    assert len(lines) == pending["predictions"] == IMAGES * 15 // 100
    for line in map(json.loads, lines):
        assert set(line) == {"image", "SageMakerOutput"}
        assert line["SageMakerOutput"]["label"] in range(10)


def test_the_page_shows_the_confusion_matrix_and_the_worst_mistakes(
    pending: dict[str, Any], page: Answer
) -> None:
    assert page.status == 200
    assert f"{pending['accuracy']:.4g}" in page.text
    (matrix,) = re.findall(r'<table class="matrix">.*?</table>', page.html, re.DOTALL)
    counts = [int(count) for count in re.findall(r"<td class=\"(?:right|wrong) [^>]*>(\d+)</td>", matrix)]
    assert (len(counts), sum(counts)) == (100, IMAGES * 15 // 100)
    mistakes = round((1 - pending["accuracy"]) * sum(counts))
    (pictures,) = re.findall(r'<ul class="pictures">.*?</ul>', page.html, re.DOTALL)
    assert pictures.count('<img src="data:image/png;base64,') == min(mistakes, 12)


def test_an_approval_on_the_page_is_one_of_the_package(up: Up, pending: dict[str, Any], page: Answer) -> None:
    assert approve(page.url).status == 303
    package = up.client("sagemaker").describe_model_package(ModelPackageName=pending["model_package_arn"])
    assert package["ModelApprovalStatus"] == "Approved"

    def status() -> str:
        execution = up.client("stepfunctions").describe_execution(executionArn=pending["execution_arn"])
        return str(execution["status"])

    eventually(lambda: status() != "RUNNING")
    assert status() == "SUCCEEDED"


def test_a_file_of_another_layout_is_refused_by_the_job(up: Up, tmp_path: Path) -> None:
    with_pyarrow(OTHER_LAYOUT, tmp_path / "other.parquet")
    code, result = up.place.run_json(str(tmp_path / "other.parquet"))
    assert (code, result["outcome"], result["error"]) == (1, "refused", "UploadRefused")
    assert result["cause"].startswith("incoming/digits/other.parquet")
    assert "column" in result["cause"]


def test_a_file_that_is_cut_off_is_refused(up: Up, tmp_path: Path) -> None:
    (tmp_path / "half.parquet").write_bytes(DIGITS.read_bytes()[:100_000])
    code, result = up.place.run_json(str(tmp_path / "half.parquet"))
    assert (code, result["outcome"], result["error"]) == (1, "refused", "UploadRefused")
    assert "incoming/digits/half.parquet is cut off" in result["cause"]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("incoming/digits/cars.csv", "digits takes .parquet."),
        ("incoming/nowhere/cars.csv", 'there is no workload "nowhere".'),
        ("incoming/some.parquet", "auto_mpg gets the files in incoming/ itself and takes .csv."),
    ],
)
def test_a_file_in_the_wrong_place_is_refused_by_mail_with_the_right_places(
    up: Up, key: str, why: str
) -> None:
    up.client("s3").put_object(Bucket=up.outputs["BucketName"], Key=key, Body=SAMPLE.read_bytes())
    (mail,) = eventually(lambda: up.mails("NotificationTopic", key))
    assert mail.subject == f"Refused: {key}"
    said = " ".join(mail.text.split())
    assert (
        f"{key}: {why} Upload .csv to incoming/ or incoming/auto_mpg/, .parquet to incoming/digits/." in said
    )

"""`mpg run` on a running `mpg up`: the real pipeline, from the file to the last mail."""

import gzip
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cli.deploy import ENDPOINT_TYPE, NO_ENDPOINT, set_parameters
from tests.conftest import eventually
from tests.e2e.mpg import listens
from tests.e2e.up import SAMPLE, TRIALS, Up


@pytest.fixture(scope="module", autouse=True)
def _as_deployed(up: Up) -> Iterator[None]:
    """As many trials as without parameters, and an endpoint."""
    set_parameters(up.endpoint, {"MaxTrials": "10", ENDPOINT_TYPE: "serverless"})
    yield
    set_parameters(up.endpoint, {"MaxTrials": TRIALS, ENDPOINT_TYPE: NO_ENDPOINT})


@pytest.fixture(scope="module")
def approved(up: Up) -> dict[str, Any]:
    # Other tests may have sent the sample before.
    code, result = up.place.run_json(str(SAMPLE), "--decision", "approve", "--force")
    assert (code, result["outcome"]) == (0, "approved"), result
    return result


def test_up_prints_the_page_and_the_variables_for_the_aws_cli(up: Up) -> None:
    assert up.endpoint.page in up.printed
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{up.port}" in up.printed
    assert re.search(r"aws s3 cp data/auto-mpg\.csv s3://\S+/incoming/", up.printed)


def test_a_second_up_is_refused_and_does_no_harm(up: Up) -> None:
    second = up.place.call("up")
    assert second.returncode == 2
    assert up.endpoint.page in second.stdout
    assert listens(up.port)


def test_an_approved_model_has_good_figures_and_its_predictions(up: Up, approved: dict[str, Any]) -> None:
    assert 0 < approved["mse"] < approved["threshold"] == 46.0 < approved["baseline_mse"]
    assert approved["rmse"] == pytest.approx(approved["mse"] ** 0.5)
    assert 0 < approved["residual_standard_deviation"] <= approved["rmse"] * 1.01
    assert approved["trials"] == 10
    assert {"alpha", "lambda", "num_round"} <= set(approved["best_hyperparameters"])
    bucket, key = re.fullmatch(r"s3://([^/]+)/(.+)", approved["predictions_uri"]).groups()  # type: ignore[union-attr]
    lines = up.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()
    assert len(lines) == approved["predictions"] == 60
    assert all(5 < float(line.rsplit(",", 1)[1]) < 60 for line in lines)


def test_an_approval_is_set_on_the_model_package(up: Up, approved: dict[str, Any]) -> None:
    package = up.client("sagemaker").describe_model_package(ModelPackageName=approved["model_package_arn"])
    assert package["ModelApprovalStatus"] == "Approved"


def test_an_approved_model_is_released_and_answers_every_row_of_a_file(
    up: Up, approved: dict[str, Any]
) -> None:
    endpoint = approved["endpoint"]
    assert (endpoint["name"], endpoint["status"]) == ("mpg-local-auto-mpg", "live")
    assert endpoint["version"] == approved["model_package_arn"]
    assert 0 < endpoint["seconds"] < 60
    assert endpoint["smoke_test"] == {"rows": 20, "largest_difference": 0.0}
    # The file has a header and labels, which no request has.
    done = up.place.call("predict", "auto_mpg", str(SAMPLE))
    assert (done.returncode, done.stderr) == (0, "")
    answers = [float(line) for line in done.stdout.splitlines()]
    assert len(answers) == 398
    assert all(5 < answer < 60 for answer in answers)


def test_the_mails_of_a_run_are_the_request_the_result_and_the_release(approved: dict[str, Any]) -> None:
    question, ending, release = approved["mails"]
    # Other tests of this deployment may have released a model before.
    assert re.search(
        r"Approving it (releases it as the first live model of this workload|replaces version \d+\s+on the\s+endpoint)",
        question["text"],
    )
    assert re.match(r"Version \d+ is live", release["subject"])
    assert "mpg-local-auto-mpg" in release["text"]
    assert question["subject"].startswith("Approve or reject")
    assert re.search(r"^http://\S+\.localhost:\d+/review/\S+$", question["text"], re.MULTILINE)
    assert ending["subject"].startswith("Approved")
    assert "Decided by mpg run" in ending["text"]
    [link] = re.findall(r"^http://\S+/report/report\.html\?\S+$", ending["text"], re.MULTILINE)
    with urllib.request.urlopen(link, timeout=60) as report:
        assert report.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<h1>Approved</h1>" in report.read().decode()


def test_the_seconds_are_by_state_and_in_total(approved: dict[str, Any]) -> None:
    seconds = dict(approved["seconds"])
    total = seconds.pop("total")
    assert {"Claim upload", "Check upload", "Preprocess", "Tune", "Evaluate", "Batch transform"} <= set(
        seconds
    )
    before_asking = sum(value for state, value in seconds.items() if state != "Ask for approval")
    assert before_asking * 0.8 < total < 60


@pytest.fixture(scope="module")
def rejected(up: Up, approved: dict[str, Any]) -> dict[str, Any]:
    """The same file once more."""
    code, result = up.place.run_json(str(SAMPLE), "--decision", "reject")
    assert (code, result["outcome"]) == (0, "rejected"), result
    return result


def test_the_same_file_again_reuses_data_and_model_and_says_so(
    up: Up, approved: dict[str, Any], rejected: dict[str, Any]
) -> None:
    result = rejected
    assert approved["reused"] == {}
    assert {"preprocess", "tune"} <= set(result["reused"])
    assert not {"Preprocess", "Tune"} & set(result["seconds"])
    assert (result["trials"], result["predictions"]) == (10, 60)
    for mail in result["mails"]:
        assert f"from run {result['reused']['tune']}, because data, code and parameters are" in mail["text"]
    # Without an id, it is the newest run.
    done = up.place.call("report", "--to", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert "<h1>Rejected</h1>" in done.stdout
    assert f"Of run {result['reused']['tune']}, whose search this run reused." in done.stdout


def test_a_rejected_model_keeps_its_predictions(up: Up, rejected: dict[str, Any]) -> None:
    assert rejected["predictions"] == 60
    package = up.client("sagemaker").describe_model_package(ModelPackageName=rejected["model_package_arn"])
    assert package["ModelApprovalStatus"] == "Rejected"


def test_a_request_left_open_stays_open(up: Up) -> None:
    code, result = up.place.run_json(str(SAMPLE), "--decision", "none")
    assert (code, result["outcome"], len(result["mails"])) == (0, "pending", 1)
    execution = up.client("stepfunctions").describe_execution(executionArn=result["execution_arn"])
    assert execution["status"] == "RUNNING"


def test_a_run_with_its_own_threshold_can_fail_it_and_the_previous_one_is_restored(up: Up) -> None:
    code, result = up.place.run_json(str(SAMPLE), "--threshold", "1.0")
    assert (code, result["outcome"], result["error"]) == (1, "below_threshold", "ModelQualityTooLow")
    assert str(round(result["mse"], 4)) in result["cause"]
    assert (result["threshold"], result["model_package_arn"], result["predictions"]) == (1.0, None, None)
    assert float(up.threshold()) == 46.0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("broken cars+1.csv", SAMPLE.read_bytes().replace(b"3504", b"heavy", 1), "heavy"),
        ("zipped.csv", gzip.compress(SAMPLE.read_bytes(), mtime=0), "gzip"),
        ("empty.csv", b"", "empty"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_reason(
    up: Up, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    code, result = up.place.run_json(str(tmp_path / name))
    assert (code, result["outcome"], result["error"]) == (1, "refused", "UploadRefused")
    assert f"incoming/{name}" in result["cause"]
    assert said in result["cause"]
    (mail,) = result["mails"]
    assert said in mail["text"]


def test_the_next_approved_model_replaces_the_live_one_until_it_is_rolled_back(
    up: Up, approved: dict[str, Any]
) -> None:
    """Also: without a terminal, the output is plain lines in the order of events."""
    first = approved["model_package_arn"].rpartition("/")[2]
    done = up.place.call("run", str(SAMPLE), "--decision", "approve", "--force")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    order = [
        "Claim upload",
        "Count run",
        "trial  1",
        "Tune",
        "Mail to approver@",
        "on the same 60 test",
        f"Approving it replaces version {first} on the endpoint mpg-local-auto-mpg.",
        "Decision: approve",
        "Mail to team@",
        "Approved.",
        "Released: version",
        "Mail to team@",
        "asked about one row",
    ]
    place = 0
    for text in order:
        place = done.stdout.index(text, place) + len(text)
    assert len(re.findall(r"^ +trial ", done.stdout, re.MULTILINE)) == 10
    back = up.place.call("rollback")
    assert (back.returncode, back.stderr) == (0, "")
    assert f"Released: version {first} on endpoint mpg-local-auto-mpg" in back.stdout
    eventually(lambda: len(up.mails("NotificationTopic", f"Version {first} is live")) == 2)

"""Whatever an upload's name and the template's parameters, SageMaker accepts the requests."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.sagemaker.validation import check_request
from tests.statemachine.machine import CHAMPION, Ending, run, upload_event
from tests.statemachine.test_requests import sagemaker_requests

CHAMPION_FOUND = {"Find champion": {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION}]}}
HOSTILE = [
    "../models/x", "..%2f..%2fmodels", "-rf", "--exit-message=/x", "$(id)", "`id`", "a' & $eval('1') & 'b", "$1$&$0",
    "{% $states.context.Task.Token %}", "${BucketName}", "<script>", "\x1b[2J", "\r\nBcc: x", "\u202e", "\U0001f697",
    "\u2028", "\x85", "\0", "s3://other/x", "x#y", "x?versionId=y", "=1+1", '"', "\\", "\ufffe",
]  # fmt: skip
# S3 accepts UTF-8, up to 1,024 bytes; incoming/*.csv starts a run.
KEYS = (
    (
        st.text(st.characters(exclude_categories=["Cs"]))
        | st.sampled_from(HOSTILE)
        | st.text("a/.-é\n🚗", max_size=300)
    )
    .map(lambda name: f"incoming/{name}.csv")
    .filter(lambda key: len(key.encode()) <= 1024)
)
VERSIONS = st.text("abcXYZ019._-", min_size=1, max_size=1024)
# As the template limits them (tests/unit/template/test_parameters.py).
PARAMETERS = st.fixed_dictionaries(
    {
        "MaxTrials": st.integers(1, 100).map(str),
        "MaxParallelTrials": st.integers(1, 10).map(str),
        "UseSpot": st.sampled_from(["true", "false"]),
        "ProcessingInstanceType": st.sampled_from(["ml.m5.large", "ml.t3.medium", "ml.c5.2xlarge"]),
    }
)


def requests_for(
    key: str, version: str, size: int, parameters: dict[str, str]
) -> tuple[Ending, list[tuple[str, Any]]]:
    event = upload_event(key=key, version=version)
    event["detail"]["object"]["size"] = size
    ending = run(CHAMPION_FOUND, event=event, substitutions=parameters)
    assert ending.status == "SUCCEEDED", ending.cause
    return ending, sagemaker_requests(ending)


@given(KEYS, VERSIONS, st.integers(0, 5 << 40), PARAMETERS)
@settings(max_examples=30)
def test_sagemaker_accepts_the_requests_of_any_upload(
    key: str, version: str, size: int, parameters: dict[str, str]
) -> None:
    ending, requests = requests_for(key, version, size, parameters)
    assert len(requests) == 11
    for operation, request in requests:
        check_request(operation, request)
    tuning = ending.arguments("Tune")["HyperParameterTuningJobConfig"]["ResourceLimits"]
    assert tuning["MaxParallelTrainingJobs"] <= tuning["MaxNumberOfTrainingJobs"]
    claim = ending.arguments("Claim upload")["Item"]["pk"]["S"]
    assert claim.endswith(f"/{key}#{version}")
    assert ending.arguments("Check upload")["Payload"]["key"] == key


def without_name(requests: list[tuple[str, Any]]) -> str:
    """The file's name, taken out of the requests."""
    return str(requests[0][1]["AppSpecification"]["ContainerArguments"].pop())


@pytest.fixture(scope="module")
def plain() -> list[tuple[str, Any]]:
    """The requests for a file with a harmless key, without its name."""
    _, requests = requests_for("incoming/cars.csv", "1", 1, {})
    assert without_name(requests) == "incoming/cars.csv"
    return requests


@given(KEYS, VERSIONS)
@settings(max_examples=30)
def test_a_key_is_in_requests_only_as_the_files_name_in_messages(
    plain: list[tuple[str, Any]], key: str, version: str
) -> None:
    """It can therefore lead no job to another folder, object or argument."""
    _, hostile = requests_for(key, version, 1, {})
    name = without_name(hostile)
    assert hostile == plain
    # It cannot be mistaken for an option, and SageMaker counts at most 256 of Java's characters.
    assert name.startswith("incoming/")
    assert len(name.encode("utf-16-le")) <= 2 * 256
    assert not re.search(r"[\n\r\u0085\u2028\u2029]", name)


def test_the_definition_puts_only_the_key_into_a_jobs_arguments() -> None:
    """This fails for anyone who adds another part of the event to a request, and must add it to the tests above."""
    definition = json.loads((Path(__file__).parents[2] / "statemachine/pipeline.asl.json").read_text())
    preprocess = json.dumps(definition["States"]["Preprocess"]["Arguments"])
    assert set(re.findall(r"\$upload\.(\w+)", preprocess)) == {"key"}
    for name in (
        "Read prepared digest",
        "Tune",
        "Find best model",
        "Evaluate",
        "Create model",
        "Batch transform",
    ):
        assert "$upload" not in json.dumps(definition["States"][name])


@pytest.mark.parametrize("name", ["MaxTrials", "MaxParallelTrials", "UseSpot", "ProcessingInstanceType"])
def test_the_tested_parameters_are_parameters_of_the_template(name: str) -> None:
    assert f"\n  {name}:\n    Type: " in (Path(__file__).parents[2] / "template.yaml").read_text()

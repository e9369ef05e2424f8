"""Any request to the local SageMaker gets a response of the service: a result or a named error."""

import asyncio
import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.embedded.iam import sagemaker_resource
from local.embedded.sagemaker_api import Handler, Permissions, sagemaker_handler
from local.sagemaker import SageMaker
from tests.unit.sagemaker import requests
from tests.unit.sagemaker.fakes import ACCOUNT, REGION, FakeAws, FakeWorkers

VALID: Mapping[str, dict[str, Any]] = {
    "CreateProcessingJob": requests.PROCESSING,
    "CreateTrainingJob": requests.TRAINING,
    "CreateHyperParameterTuningJob": requests.TUNING,
    "CreateModel": requests.MODEL,
    "CreateTransformJob": requests.TRANSFORM,
    "CreateModelPackage": requests.PACKAGE,
    "CreateModelPackageGroup": {"ModelPackageGroupName": "group"},
    "DescribeProcessingJob": {"ProcessingJobName": "prepare"},
    "DescribeModelPackage": {"ModelPackageName": "group"},
    "UpdateModelPackage": {
        "ModelPackageArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/group/1",
        "ModelApprovalStatus": "Approved",
    },
    "BatchDescribeModelPackage": {"ModelPackageArnList": ["x"]},
    "ListModelPackages": {"ModelPackageGroupName": "group", "NextToken": "x", "MaxResults": 5},
    "ListTrainingJobs": {"CreationTimeAfter": 0, "NameContains": "x", "SortBy": "Name"},
    "ListTrainingJobsForHyperParameterTuningJob": {"HyperParameterTuningJobName": "tune"},
    "StopProcessingJob": {"ProcessingJobName": "prepare"},
    "DeleteModel": {"ModelName": "model"},
    "AddTags": {"ResourceArn": "arn:x", "Tags": [{"Key": "a", "Value": "b"}]},
    "ListTags": {"ResourceArn": "arn:x"},
    "DeleteTags": {"ResourceArn": "arn:x", "TagKeys": ["a"]},
}
HUGE = 10**400
CLUSTER = "ProcessingResources.ClusterConfig"
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, 0, -1, HUGE, -HUGE, 1e308, float("nan"), float("inf"), 0.5, 2**63]),
    st.sampled_from(
        ["", "..", "../../x", "/etc", "\0", "\ud800", "a" * 5000, "s3://", "$[", "9" * 400, "arn:aws:iam:"]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=6,
    ),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a request."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in inner:
        yield (*path, name)
        yield from places(member, (*path, name))


@st.composite
def changed_requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An action, and a request that is valid except for one to four changes."""
    action = draw(st.sampled_from(sorted(VALID)))
    request = copy.deepcopy(VALID[action])
    for _ in range(draw(st.integers(1, 4))):
        found = sorted(places(request), key=str)
        if not found:
            break
        *parents, last = draw(st.sampled_from(found))
        parent: Any = request
        for name in parents:
            parent = parent[name]
        change = draw(st.sampled_from(["remove", "set", "double", "rename"]))
        if change == "set":
            parent[last] = draw(VALUES)
        elif change == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        elif change == "rename" and isinstance(parent, dict):
            parent[draw(st.text(max_size=9))] = parent.pop(last)
        else:
            del parent[last]
    return action, request


class Local:
    """The local SageMaker behind its protocol, without a server; its AWS and its processes are fakes."""

    def __init__(self, folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("local.sagemaker.service.Clients", lambda *_: FakeAws())
            patch.setattr("local.sagemaker.service.WarmWorkers", FakeWorkers)
            self._sagemaker = SageMaker(
                account_id=ACCOUNT,
                region=REGION,
                endpoint_url="http://127.0.0.1:1",
                folder=folder,
                credentials=lambda role: {},
            )
        resource = partial(sagemaker_resource, region=REGION, account=ACCOUNT)
        everything = Permissions(
            resource=resource,
            also_needed=lambda *_: [],
            refusal=lambda *_: None,
            assume=lambda role: None,
            may_grant=lambda *_: True,
            exists=lambda arn: True,
            is_scaled=lambda endpoint: False,
        )
        self._handle: Handler = sagemaker_handler(self._sagemaker, everything)

    def judge(self, action: str, body: bytes) -> str:
        """The error's name, "" for a success; fails for any response that SageMaker would not give."""
        sent = {"x-amz-target": f"SageMaker.{action}"}
        answered = asyncio.run(asyncio.wait_for(self._handle("POST", "/", sent, body, {}), 10))
        status, headers, answer = answered
        assert headers["Content-Type"] == "application/x-amz-json-1.1"
        error = json.loads(answer)
        if status == 200:
            return ""
        assert status == 400, answer
        assert re.fullmatch(
            r"[A-Z]\w+(Exception|Failure|ResourceInUse|NotFound|Exceeded|InUse)", error["__type"]
        )
        assert error["message"]
        assert "Traceback" not in error["message"]
        return str(error["__type"])

    def close(self) -> None:
        self._sagemaker.close()


@pytest.fixture(scope="module")
def sagemaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    made = Local(tmp_path_factory.mktemp("jobs"))
    yield made
    made.close()


@given(changed_requests())
@example(("CreateProcessingJob", {**requests.PROCESSING, "StoppingCondition": {"MaxRuntimeInSeconds": HUGE}}))
@example(("CreateProcessingJob", requests.changed(requests.PROCESSING, f"{CLUSTER}.InstanceType", None)))
@example(
    (
        "CreateHyperParameterTuningJob",
        requests.changed(requests.TUNING, "TrainingJobDefinition.ResourceConfig", None),
    )
)
@example(("ListTrainingJobs", {"CreationTimeAfter": HUGE}))
@example(("ListTrainingJobs", {"CreationTimeAfter": "0001-01-01"}))
def test_an_invalid_request_gets_an_error_of_the_service(sagemaker: Local, sent: tuple[str, Any]) -> None:
    action, request = sent
    sagemaker.judge(action, json.dumps(request).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b"{" * 9,
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"9" * 9000,
        b"NaN",
    ],
    ids=lambda body: repr(body[:6]),
)
@pytest.mark.parametrize("action", ["CreateProcessingJob", "ListModels", "Nonsense", "", "../x"])
def test_a_body_that_is_not_a_request_gets_an_error_of_the_service(
    sagemaker: Local, action: str, body: bytes
) -> None:
    if (action, body) != ("ListModels", b""):
        assert sagemaker.judge(action, body)


@pytest.mark.parametrize(
    "path", ["/opt/ml/processing/../../x", "/etc", "/opt/ml/processing", "x", "/opt/ml/model"]
)
def test_a_job_has_no_folder_outside_of_its_own(sagemaker: Local, path: str) -> None:
    request = requests.changed(requests.PROCESSING, "ProcessingInputs.0.S3Input.LocalPath", path)
    assert sagemaker.judge("CreateProcessingJob", json.dumps(request).encode()) == "ValidationException"

import json
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from tests.unit.sagemaker.fakes import SKLEARN, FakeAws
from tests.unit.sagemaker.requests import MODEL, PACKAGE, changed

GROUP = {"ModelPackageGroupName": "group"}
ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/group/1"
GROUP_ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/group"


@pytest.fixture
def package(sagemaker: SageMaker) -> str:
    sagemaker.call("CreateModelPackageGroup", GROUP)
    arn: str = sagemaker.call("CreateModelPackage", PACKAGE)["ModelPackageArn"]
    assert arn == ARN
    return arn


def describe(sagemaker: SageMaker, arn: str = ARN) -> dict[str, Any]:
    return sagemaker.call("DescribeModelPackage", {"ModelPackageName": arn})


def details(sagemaker: SageMaker, aws: FakeAws) -> list[dict[str, Any]]:
    """The events of model packages; closing sends the pending ones."""
    sagemaker.close()
    kind = "SageMaker Model Package State Change"
    return [json.loads(entry["Detail"]) for entry in aws.events.entries if entry["DetailType"] == kind]


def test_a_package_of_a_group_waits_for_approval(sagemaker: SageMaker, package: str) -> None:
    described = describe(sagemaker)

    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert (described["ModelPackageGroupName"], described["ModelPackageVersion"]) == ("group", 1)
    assert "ModelPackageName" not in described
    assert described["ModelPackageStatus"] == "Completed"
    (container,) = described["InferenceSpecification"]["Containers"]
    assert container.pop("ImageDigest").startswith("sha256:")
    assert container == MODEL["PrimaryContainer"]


def test_an_image_has_the_same_digest_in_every_package(sagemaker: SageMaker, package: str) -> None:
    again = sagemaker.call("CreateModelPackage", PACKAGE)["ModelPackageArn"]
    other = changed(PACKAGE, "InferenceSpecification.Containers.0.Image", SKLEARN)
    arns = [package, again, sagemaker.call("CreateModelPackage", other)["ModelPackageArn"]]
    digests = [
        describe(sagemaker, arn)["InferenceSpecification"]["Containers"][0]["ImageDigest"] for arn in arns
    ]

    assert digests[0] == digests[1] != digests[2]


SOURCE = {
    "ContentType": "application/json",
    "ContentDigest": f"sha256:{7:064x}",
    "S3Uri": "s3://bucket/models/run/baseline/statistics.json",
}
BASELINES = {
    kind: {"Statistics": SOURCE, "Constraints": SOURCE} for kind in ("ModelQuality", "ModelDataQuality")
}


def test_a_package_shows_its_metrics_and_its_baselines(sagemaker: SageMaker, package: str) -> None:
    more = {"ModelMetrics": BASELINES, "DriftCheckBaselines": BASELINES}
    arn = sagemaker.call("CreateModelPackage", {**PACKAGE, **more})["ModelPackageArn"]
    described = describe(sagemaker, arn)
    assert {name: described[name] for name in more} == more


@pytest.mark.parametrize("member", ["ModelMetrics", "DriftCheckBaselines"])
@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("ContentDigest", "7" * 64, r"expression pattern: \^?\[Ss\]\[Hh\]\[Aa\]256:\[0-9a-fA-F\]\{64\}"),
        ("ContentDigest", f"sha256:{7:066x}", "length less than or equal to 72"),
        ("ContentType", None, "must not be null"),
        ("S3Uri", "models/run/baseline/statistics.json", "regular expression pattern"),
    ],
)
def test_a_source_that_aws_would_refuse_is_refused(
    sagemaker: SageMaker, package: str, member: str, field: str, value: str | None, problem: str
) -> None:
    bad = {name: content for name, content in {**SOURCE, field: value}.items() if content is not None}
    with pytest.raises(ServiceError, match=problem):
        sagemaker.call("CreateModelPackage", {**PACKAGE, member: {"ModelQuality": {"Statistics": bad}}})


def test_a_version_number_is_never_reused(sagemaker: SageMaker, package: str) -> None:
    sagemaker.call("DeleteModelPackage", {"ModelPackageName": package})

    assert sagemaker.call("CreateModelPackage", PACKAGE)["ModelPackageArn"].endswith("/group/2")


def test_a_repeated_request_creates_no_second_package(sagemaker: SageMaker, package: str) -> None:
    tokens = ("first", "second", "first")
    arns = [
        sagemaker.call("CreateModelPackage", PACKAGE | {"ClientToken": token})["ModelPackageArn"]
        for token in tokens
    ]

    assert [arn[-1] for arn in arns] == ["2", "3", "2"]


@pytest.mark.parametrize("before", ["Approved", "Rejected", "PendingManualApproval"])
@pytest.mark.parametrize("after", ["Approved", "Rejected", "PendingManualApproval"])
def test_any_approval_status_may_follow_any_other(
    sagemaker: SageMaker, package: str, before: str, after: str
) -> None:
    for status in (before, after):
        sagemaker.call("UpdateModelPackage", {"ModelPackageArn": ARN, "ModelApprovalStatus": status})

    assert describe(sagemaker)["ModelApprovalStatus"] == after


def test_the_event_of_an_update_names_the_changed_fields(
    sagemaker: SageMaker, package: str, aws: FakeAws
) -> None:
    update = {"ModelPackageArn": ARN, "ModelApprovalStatus": "Approved", "ApprovalDescription": "well done"}
    sagemaker.call("UpdateModelPackage", update)

    created, updated = details(sagemaker, aws)
    assert "UpdatedModelPackageFields" not in created
    assert updated["UpdatedModelPackageFields"] == ["ModelApprovalStatus", "ApprovalDescription"]
    assert updated["ModelPackageArn"] == ARN
    assert (updated["ModelPackageGroupName"], updated["ModelPackageVersion"]) == ("group", 1)
    assert (updated["ModelApprovalStatus"], updated["ApprovalDescription"]) == ("Approved", "well done")
    assert updated["CreationTime"].endswith("Z")


def test_an_update_that_changes_nothing_sends_no_event(
    sagemaker: SageMaker, package: str, aws: FakeAws
) -> None:
    sagemaker.call(
        "UpdateModelPackage", {"ModelPackageArn": ARN, "ModelApprovalStatus": "PendingManualApproval"}
    )

    assert len(details(sagemaker, aws)) == 1


def test_an_update_of_other_fields_does_not_claim_a_new_approval(
    sagemaker: SageMaker, package: str, aws: FakeAws
) -> None:
    sagemaker.call(
        "UpdateModelPackage", {"ModelPackageArn": ARN, "CustomerMetadataProperties": {"reviewer": "Ann"}}
    )

    assert details(sagemaker, aws)[-1]["UpdatedModelPackageFields"] == ["CustomerMetadataProperties"]


def test_customer_metadata_is_merged_and_removed_by_key(sagemaker: SageMaker, package: str) -> None:
    update = {"ModelPackageArn": ARN}
    sagemaker.call("UpdateModelPackage", update | {"CustomerMetadataProperties": {"a": "1", "b": "2"}})
    sagemaker.call(
        "UpdateModelPackage",
        update
        | {"CustomerMetadataProperties": {"c": "3"}, "CustomerMetadataPropertiesToRemove": ["a", "none"]},
    )

    assert describe(sagemaker)["CustomerMetadataProperties"] == {"b": "2", "c": "3"}


def test_a_group_with_versions_cannot_be_deleted(sagemaker: SageMaker, package: str) -> None:
    with pytest.raises(ServiceError) as refused:
        sagemaker.call("DeleteModelPackageGroup", GROUP)
    assert refused.value.code == "ConflictException"

    sagemaker.call("DeleteModelPackage", {"ModelPackageName": package})
    sagemaker.call("DeleteModelPackageGroup", GROUP)
    with pytest.raises(ServiceError, match=f"Model Package Group {GROUP_ARN} does not exist"):
        sagemaker.call("DescribeModelPackageGroup", GROUP)


def test_a_group_is_found_by_its_arn_too(sagemaker: SageMaker, package: str) -> None:
    described = sagemaker.call("DescribeModelPackageGroup", {"ModelPackageGroupName": GROUP_ARN})

    assert described["ModelPackageGroupName"] == "group"
    assert sagemaker.call("CreateModelPackage", PACKAGE | {"ModelPackageGroupName": GROUP_ARN}) == {
        "ModelPackageArn": ARN.replace("/1", "/2")
    }


def test_a_batch_of_packages_is_described_with_an_error_for_each_that_is_missing(
    sagemaker: SageMaker, package: str
) -> None:
    gone = ARN.replace("/1", "/9")
    response = sagemaker.call("BatchDescribeModelPackage", {"ModelPackageArnList": [ARN, gone]})

    assert response["ModelPackageSummaries"][ARN]["ModelPackageVersion"] == 1
    assert response["BatchDescribeModelPackageErrorMap"] == {
        gone: {"ErrorCode": "ValidationException", "ErrorResponse": f"ModelPackage {gone} does not exist."}
    }


def test_a_model_is_created_only_from_an_approved_package(sagemaker: SageMaker, package: str) -> None:
    model = changed(MODEL, "PrimaryContainer", {"ModelPackageName": ARN})
    with pytest.raises(ServiceError, match="its approval status is PendingManualApproval"):
        sagemaker.call("CreateModel", model)

    sagemaker.call("UpdateModelPackage", {"ModelPackageArn": ARN, "ModelApprovalStatus": "Approved"})
    assert sagemaker.call("CreateModel", model)["ModelArn"].endswith(":model/model")


@pytest.mark.parametrize(
    ("action", "request_", "message"),
    [
        ("CreateModelPackageGroup", GROUP, f"Model Package Group already exists: {GROUP_ARN}"),
        ("DescribeModelPackage", {"ModelPackageName": f"{ARN}9"}, f"ModelPackage {ARN}9 does not exist."),
        (
            "CreateModelPackage",
            PACKAGE | {"ModelPackageGroupName": "no"},
            f"Model Package Group {GROUP_ARN[:-5]}no does not exist.",
        ),
        (
            "DeleteModel",
            {"ModelName": "no"},
            'Could not find model "arn:aws:sagemaker:us-east-1:000000000000:model/no".',
        ),
    ],
)
def test_existing_and_missing_resources_are_reported_in_the_words_of_aws(
    action: str, request_: dict[str, Any], message: str, sagemaker: SageMaker, package: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        sagemaker.call(action, request_)

    assert (refused.value.code, refused.value.message) == ("ValidationException", message)


def test_a_model_of_the_same_name_is_refused(sagemaker: SageMaker) -> None:
    sagemaker.call("CreateModel", MODEL)

    with pytest.raises(
        ServiceError, match=r'Cannot create already existing model "arn:aws:.*:model/model"\.'
    ):
        sagemaker.call("CreateModel", MODEL)


def test_tags_are_added_changed_listed_and_removed(sagemaker: SageMaker) -> None:
    tags = [{"Key": f"key-{number}", "Value": "x"} for number in range(3)]
    arn = sagemaker.call("CreateModel", MODEL | {"Tags": tags})["ModelArn"]
    sagemaker.call("AddTags", {"ResourceArn": arn, "Tags": [{"Key": "key-0", "Value": "y"}]})
    sagemaker.call("DeleteTags", {"ResourceArn": arn, "TagKeys": ["key-1", "none"]})

    assert sagemaker.call("ListTags", {"ResourceArn": arn}) == {
        "Tags": [{"Key": "key-0", "Value": "y"}, {"Key": "key-2", "Value": "x"}]
    }


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["aws:stack"], "reserved for system use: aws:stack"),
        (["AWS:stack"], "reserved for system use: AWS:stack"),
        (["a", "b", "a"], "Tag keys must be unique; 'a' is given more than once."),
    ],
)
@pytest.mark.parametrize("action", ["CreateModel", "AddTags"])
def test_tags_that_aws_refuses_are_refused(
    sagemaker: SageMaker, action: str, keys: list[str], said: str
) -> None:
    tags = {"Tags": [{"Key": key, "Value": "x"} for key in keys]}
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model/model"
    if action == "AddTags":
        sagemaker.call("CreateModel", MODEL)
    request = MODEL if action == "CreateModel" else {"ResourceArn": arn}
    with pytest.raises(ServiceError, match=said):
        sagemaker.call(action, request | tags)


def test_a_resource_has_at_most_fifty_tags(sagemaker: SageMaker) -> None:
    tags = [{"Key": f"key-{number}", "Value": "x"} for number in range(50)]
    arn = sagemaker.call("CreateModel", MODEL | {"Tags": tags})["ModelArn"]
    sagemaker.call("AddTags", {"ResourceArn": arn, "Tags": tags[:1]})
    with pytest.raises(ServiceError, match="must not exceed 50"):
        sagemaker.call("AddTags", {"ResourceArn": arn, "Tags": [{"Key": "more", "Value": "x"}]})


def test_a_version_of_a_package_takes_no_tags_of_its_own(sagemaker: SageMaker) -> None:
    sagemaker.call("CreateModelPackageGroup", GROUP)
    with pytest.raises(ServiceError, match="uses those of its group"):
        sagemaker.call("CreateModelPackage", PACKAGE | {"Tags": [{"Key": "a", "Value": "b"}]})


def test_a_missing_resource_has_no_tags(sagemaker: SageMaker) -> None:
    with pytest.raises(ServiceError, match="Could not find resource"):
        sagemaker.call("ListTags", {"ResourceArn": ARN})

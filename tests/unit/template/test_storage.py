"""How long data is kept, and what a deleted stack leaves behind."""

import pytest

from tests.unit.template.stack import of_type, properties, template

RUN = "mpg-20260131-0915-0123abcd"
KEPT = [f"models/{RUN}/model.tar.gz", "incoming/cars.csv", "code/0123/code.zip"]
EXPIRING = [
    f"runs/{RUN}/prepared/train/train.csv",
    f"runs/{RUN}/predictions/batch.csv.out",
    f"monitoring/some_workload/{RUN}/report.html",
]


def expires(key: str) -> bool:
    rules = properties("PipelineBucket")["LifecycleConfiguration"]["Rules"]
    return any("ExpirationInDays" in rule and key.startswith(rule.get("Prefix", "")) for rule in rules)


@pytest.mark.parametrize("key", KEPT)
def test_uploads_models_and_scripts_never_expire(key: str) -> None:
    assert not expires(key)


@pytest.mark.parametrize("key", EXPIRING)
def test_the_files_of_a_run_expire(key: str) -> None:
    assert expires(key)


def test_a_run_keeps_its_files_for_as_long_as_it_can_wait_for_an_approval() -> None:
    parameters = template()["Parameters"]
    assert parameters["ExpireRunsAfterDays"]["MinValue"] > parameters["ApprovalTimeoutDays"]["MaxValue"]


def test_lifecycle_prefixes_have_no_wildcard_because_s3_would_take_it_literally() -> None:
    rules = properties("PipelineBucket")["LifecycleConfiguration"]["Rules"]
    assert not [rule for rule in rules if "*" in rule.get("Prefix", "")]


@pytest.mark.parametrize("name", ["PipelineBucket", "AccessLogs", "PipelineTable"])
def test_uploads_models_and_approvals_outlive_the_stack(name: str) -> None:
    resource = template()["Resources"][name]
    assert resource["DeletionPolicy"] in ("Retain", "RetainExceptOnCreate")
    assert resource["UpdateReplacePolicy"] == "Retain"


def test_every_request_to_the_bucket_is_logged_in_another_bucket_whose_logs_expire() -> None:
    assert properties("PipelineBucket")["LoggingConfiguration"] == {
        "DestinationBucketName": "mpg-test-accesslogs-x1"
    }
    # S3 delivers no logs into a bucket that logs itself, locks its objects or uses a customer's key.
    logs = properties("AccessLogs")
    assert not {"LoggingConfiguration", "ObjectLockEnabled"} & logs.keys()
    [rule] = logs["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["ExpirationInDays"] == template()["Parameters"]["LogRetentionDays"]["Default"]


def test_an_upload_under_the_name_of_another_replaces_nothing() -> None:
    assert properties("PipelineBucket")["VersioningConfiguration"] == {"Status": "Enabled"}


def test_the_table_is_what_the_functions_and_the_machine_expect() -> None:
    table = properties("PipelineTable")
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_only_names_that_must_be_known_beforehand_are_fixed() -> None:
    # A fixed name blocks the next deployment while a retained resource still has it.
    for kind, name in [("AWS::S3::Bucket", "BucketName"), ("AWS::DynamoDB::Table", "TableName")]:
        assert all(name not in resource for resource in of_type(kind).values())
    assert all("RoleName" not in role for role in of_type("AWS::IAM::Role").values())

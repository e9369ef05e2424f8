"""Tearing down a stack on the embedded AWS that the SAM CLI deployed."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from deploy import destroy
from deploy.belongings import find_belongings
from deploy.problems import Trouble
from local.cli.children import Children
from local.cli.deploy import quiet_sam
from local.cli.interrupts import Interrupts
from local.cli.main import cli
from local.cli.sam_cli import SamCli
from tests.builds import shared_build
from tests.conftest import ROOT, Aws, eventually
from tests.integration.belongings import groups, register, remains

ARTIFACTS = "artifacts-of-test-destroy"
SECONDS = 300.0
OTHERS = "somebody-elses"
PARAMETERS = [
    "ApproverEmail=approver@example.com",
    "NotificationEmail=team@example.com",
    'MonitorSchedule="rate(1 day)"',
    'RetrainSchedule="rate(30 days)"',
]


@pytest.fixture(scope="module")
def sam(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., None]]:
    """Runs the SAM CLI, imported once for all deployments of this module."""
    folder = tmp_path_factory.mktemp("sam")
    # The SAM CLI leaves an empty folder for each artifact.
    environment = {**aws.environment, "TMPDIR": str(folder), **quiet_sam(folder / "sam")}
    children, log = Children(Interrupts()), folder / "sam.log"
    interpreter = SamCli(children, environment, log)

    def run(*arguments: str) -> None:
        interpreter.start([*arguments, "--config-env", "local"], environment, log)
        assert interpreter.wait(SECONDS) == 0, log.read_text()

    yield run
    children.stop_all()


@pytest.fixture
def deploy(aws: Aws, sam: Callable[..., None]) -> Callable[[str], dict[str, str]]:
    """Deploys a stack with a name; returns its outputs."""

    def deploy_stack(name: str) -> dict[str, str]:
        aws.client("s3").create_bucket(Bucket=ARTIFACTS)
        template = str(shared_build().template)
        where = ["--config-file", str(ROOT / "samconfig.toml"), "--template-file", template, "--use-json"]
        named = ["--stack-name", name, "--s3-bucket", ARTIFACTS]
        sam("deploy", *where, *named, "--parameter-overrides", *PARAMETERS)
        [stack] = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    return deploy_stack


@pytest.fixture(autouse=True)
def as_a_person(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


@pytest.fixture
def another_teams_things(aws: Aws) -> Iterator[Callable[[], tuple[list[str], int]]]:
    """A function that returns somebody else's existing resources: the bucket, and how many packages."""
    s3, sagemaker = aws.client("s3"), aws.client("sagemaker")
    s3.create_bucket(Bucket=OTHERS)
    sagemaker.create_model_package_group(ModelPackageGroupName=OTHERS)
    package = register(aws, OTHERS)
    yield lambda: (
        [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"] == OTHERS],
        len(packages(aws, OTHERS)),
    )
    sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.delete_model_package_group(ModelPackageGroupName=OTHERS)
    s3.delete_bucket(Bucket=OTHERS)


def code_key(s3: Any, bucket: str) -> str:
    """Where the program of the processing jobs is."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="code/")["Contents"]
    [key] = [found["Key"] for found in listed if found["Key"].endswith("/code.zip")]
    return str(key)


def packages(aws: Aws, group: str) -> list[str]:
    listed = aws.client("sagemaker").list_model_packages(ModelPackageGroupName=group)
    return [package["ModelPackageArn"] for package in listed["ModelPackageSummaryList"]]


def running_execution(aws: Aws, state_machine: str) -> Any:
    listed = aws.client("stepfunctions").list_executions(
        stateMachineArn=state_machine, statusFilter="RUNNING"
    )
    return listed["executions"]


def in_progress(aws: Aws) -> list[str]:
    # A page with older jobs only, of other tests, has none that is in progress.
    pages = aws.client("sagemaker").get_paginator("list_processing_jobs")
    listed = pages.paginate(StatusEquals="InProgress", NameContains="mpg-")
    return [job["ProcessingJobName"] for page in listed for job in page["ProcessingJobSummaries"]]


def test_everything_of_a_stack_is_deleted_once_its_name_is_typed_and_nothing_else(
    aws: Aws,
    deploy: Callable[[str], dict[str, str]],
    another_teams_things: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given a stack with an active run, old versions of files and a deleted file
    outputs = deploy("mpg-doomed")
    s3, bucket = aws.client("s3"), outputs["BucketName"]
    s3.put_object(Bucket=bucket, Key="notes.txt", Body=b"1")
    s3.put_object(Bucket=bucket, Key="notes.txt", Body=b"2")
    s3.delete_object(Bucket=bucket, Key="notes.txt")
    s3.create_multipart_upload(Bucket=bucket, Key="half.bin")
    # And models in the groups of two workloads
    first, second, *_ = (name for name in groups(aws) if name.startswith(outputs["ModelPackageGroupPrefix"]))
    for group in (first, first, second):
        register(aws, group)
    # And a job that does not end by itself
    s3.put_object(Bucket=bucket, Key=code_key(s3, bucket), Body=b"import time\ntime.sleep(600)\n")
    s3.upload_file(str(ROOT / "data" / "auto-mpg.csv"), bucket, "incoming/cars.csv")
    eventually(lambda: in_progress(aws))
    assert running_execution(aws, outputs["StateMachineArn"])
    # And schedules, which could start more
    schedules = aws.client("scheduler").list_schedules()["Schedules"]
    assert {found["Name"] for found in schedules} == {*find_belongings(aws.client, "mpg-doomed").schedules}
    assert len(schedules) == 2
    before, there = another_teams_things(), remains(aws, "mpg-doomed")
    # When anything but its name is typed
    monkeypatch.setattr("builtins.input", lambda prompt: "yes")
    with pytest.raises(Trouble, match="Nothing was deleted"):
        destroy.run("mpg-doomed", None, yes=False)
    # Then it was shown, and stays
    assert remains(aws, "mpg-doomed") == there
    shown = capsys.readouterr().out
    assert outputs["BucketName"] in shown
    assert outputs["TableName"] in shown
    # When its name is typed
    monkeypatch.setattr("builtins.input", lambda prompt: "mpg-doomed")
    destroy.run("mpg-doomed", None, yes=False)
    # Then
    assert remains(aws, "mpg-doomed") == []
    assert in_progress(aws) == []
    assert another_teams_things() == before == ([OTHERS], 1)
    shown = capsys.readouterr().out
    assert f"the model package group {first}, model packages in it: 2\n" in shown
    assert f"the model package group {second}, model packages in it: 1\n" in shown
    assert f"model packages of {first} deleted: 2\n" in shown
    assert f"model packages of {second} deleted: 1\n" in shown
    with pytest.raises(Trouble, match="no leftovers of one"):
        destroy.run("mpg-doomed", None, yes=True)


def test_a_region_without_the_stack_is_reported(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["destroy", "--stack-name", "mpg-nowhere", "--yes", "--region", "eu-west-3"]
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert "There is no stack mpg-nowhere in eu-west-3" in capsys.readouterr().err
    assert boto3.Session().region_name == "us-east-1"

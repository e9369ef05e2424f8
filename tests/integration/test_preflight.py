"""`make preflight` on the embedded AWS confirms what it can, reports what it cannot, and leaves nothing."""

import os
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

from deploy.preflight import hosts, making, reading, serving
from local.cli.main import cli
from tests.conftest import Aws

NAME = "mpg-preflight"
# The hosts of a job here start within seconds of each other; and those that do not meet wait as long as this.
MEETING_SECONDS = 10


def preflight(aws: Aws, *arguments: str, answers: str = "") -> str:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hosts, "MEETING_SECONDS", MEETING_SECONDS)
        # It would keep the credentials of whoever used it first.
        patched.setattr(boto3, "DEFAULT_SESSION", None)
        environment = {**dict.fromkeys(os.environ), **aws.environment}
        done = CliRunner().invoke(cli, ["preflight", *arguments], input=answers, env=environment)
    differs = "differs" in verdicts(done.output).values()
    assert done.exit_code == (1 if differs else 0), done.output
    return done.output


def verdicts(said: str) -> dict[str, str]:
    return {assumption: verdict for verdict, assumption in re.findall(r"^\[(.+)\] (.+)$", said, re.MULTILINE)}


@pytest.fixture(scope="module")
def said(aws: Aws) -> str:
    return preflight(aws, "--yes")


def test_every_assumption_is_checked(said: str) -> None:
    checks = (*reading.CHECKS, *making.CHECKS, *serving.CHECKS, *hosts.CHECKS)
    assert list(verdicts(said)) == [check.assumption for check in checks]
    assert said.count("    seen: ") == said.count("    by hand: ") == len(checks)


def test_assumptions_that_hold_in_the_embedded_aws_are_confirmed(said: str) -> None:
    seen = {assumption for assumption, verdict in verdicts(said).items() if verdict == "ok"}
    for words in (
        "InvalidRequest",
        "InvalidObjectState",
        "SHA-256",
        "two UUIDs",
        "CreateModelPackage",
        "isolation",
        "do not reach each other",
    ):
        assert any(words in assumption for assumption in seen), (words, said)


def test_assumptions_that_it_cannot_show_are_reported_as_such(said: str) -> None:
    unseen = {assumption for assumption, verdict in verdicts(said).items() if verdict == "cannot tell"}
    for words in ("Step Functions accepts every field", "The images", "X-Ray"):
        assert any(words in assumption for assumption in unseen), (words, said)


def test_nothing_of_its_stack_is_left(aws: Aws, said: str) -> None:
    assert NAME in said
    assert list(left(aws)) == []


@pytest.mark.parametrize(("arguments", "answers"), [(["--read-only"], ""), ([], "n\n")])
def test_without_a_yes_nothing_is_created(aws: Aws, arguments: list[str], answers: str) -> None:
    said = preflight(aws, *arguments, answers=answers)
    assert list(verdicts(said)) == [check.assumption for check in reading.CHECKS]
    assert f"Creating {NAME}" not in said


def left(aws: Aws) -> Iterator[Any]:
    """Existing resources whose names begin with the stack's."""
    sagemaker = aws.client("sagemaker")
    yield from (b for b in aws.client("s3").list_buckets()["Buckets"] if b["Name"].startswith(NAME))
    yield from (r for r in aws.client("iam").list_roles()["Roles"] if r["RoleName"].startswith(NAME))
    yield from sagemaker.list_models(NameContains=NAME)["Models"]
    yield from sagemaker.list_model_package_groups(NameContains=NAME)["ModelPackageGroupSummaryList"]
    machines = aws.client("stepfunctions").list_state_machines()["stateMachines"]
    yield from (m for m in machines if m["name"].startswith(NAME))

"""`make deploy`: questions and checks before the first deployment, which later ones skip."""

import os
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from deploy import deployment as command
from deploy.belongings import Belongings
from deploy.problems import Trouble
from deploy.settings import ROOT, Settings

PACKED = (
    *("--config-file", str(ROOT / "samconfig.toml")),
    *("--template-file", str(ROOT / ".aws-sam" / "build" / "template.packed"), "--use-json"),
)


# What it has read of the services serves all tests.
SESSIONS = cache(boto3.Session)


class World:
    """The account and the terminal, as far as a deployment sees them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.status = ""
        self.has_quotas = True
        self.missing: tuple[str, ...] = ()
        self.exit_codes: dict[str, int] = {}
        self.looked_up = 0
        self.ran: list[tuple[str, ...]] = []
        self.answers: list[str] = []
        self.looked_at: list[tuple[str, str | None]] = []
        monkeypatch.setattr(command, "find_belongings", self._belongings)
        monkeypatch.setattr(command, "boto3", SimpleNamespace(Session=SESSIONS))
        monkeypatch.setattr(command, "check_account", self._check_account)
        monkeypatch.setattr(command, "read_settings", self._settings)
        monkeypatch.setattr(command, "sam", self._sam)
        monkeypatch.setattr(command, "answer", self._answer)
        monkeypatch.setattr(command, "pack", lambda template: template.with_suffix(".packed"))
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    def _belongings(self, clients: Any, stack_name: str) -> Belongings:
        region = clients("s3").meta.region_name
        self.looked_at.append((stack_name, region))
        return Belongings("stack-id" if self.status else None, self.status)

    def _check_account(self, settings: Settings, region: str | None) -> bool:
        self.looked_up += 1
        self.looked_at.append((f"quotas for {settings.stack_name}", region))
        return self.has_quotas

    def _settings(self, environment: str) -> Settings:
        return Settings(environment, "mpg", None, {}, self.missing)

    def _answer(self, question: str, default: str) -> str:
        return (self.answers.pop(0) if self.answers else "") or default

    def _sam(self, *arguments: str) -> int:
        self.ran.append(arguments)
        return self.exit_codes.get(arguments[0], 0)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_the_first_deployment_checks_the_quotas_and_asks(world: World) -> None:
    assert command.deploy("default", None, skip_quotas=False) == 0
    assert world.looked_up == 1
    assert world.ran == [
        ("build", "--config-env", "default"),
        (
            *("deploy", "--config-env", "default", "--stack-name", "mpg", "--region", "eu-west-1"),
            *(*PACKED, "--guided"),
        ),
    ]


def test_quotas_and_stack_are_checked_where_the_answers_say(world: World) -> None:
    world.missing, world.answers = ("ApproverEmail",), ["mine", "us-west-2"]
    command.deploy("default", None, skip_quotas=False)
    assert world.looked_at == [("mine", "us-west-2"), ("quotas for mine", "us-west-2")]
    assert world.ran[-1][3:7] == ("--stack-name", "mine", "--region", "us-west-2")


@pytest.mark.parametrize("region", ["cn-north-1", "cn-northwest-1", "nowhere-1"])
def test_an_unsupported_region_is_refused_before_anything_is_built(world: World, region: str) -> None:
    world.answers = ["", region]
    with pytest.raises(Trouble, match=f"does not support {region}"):
        command.deploy("default", None, skip_quotas=True)
    assert world.ran == []


def test_an_answer_reads_its_line_and_leaves_the_next_one_to_sam() -> None:
    reading, writing = os.pipe()
    os.write(writing, b" mine \n\nfor SAM\n")
    os.close(writing)
    answers = [command.answer("Name", "x", reading), command.answer("Region", "us-east-1", reading)]
    assert answers == ["mine", "us-east-1"]
    assert os.read(reading, 100) == b"for SAM\n"
    with pytest.raises(Trouble, match="There is no terminal to ask at"):
        command.answer("Name", "x", reading)
    os.close(reading)


def test_a_lacking_quota_stops_the_first_deployment(world: World) -> None:
    world.has_quotas = False
    with pytest.raises(Trouble, match="--skip-quotas"):
        command.deploy("default", None, skip_quotas=False)
    assert world.ran == []


def test_the_check_of_the_quotas_can_be_skipped(world: World) -> None:
    world.has_quotas = False
    assert command.deploy("default", None, skip_quotas=True) == 0


def test_a_later_deployment_neither_checks_nor_asks(world: World) -> None:
    world.status = "UPDATE_COMPLETE"
    command.deploy("production", "eu-west-3", skip_quotas=False)
    assert world.looked_up == 0
    assert world.ran[-1] == ("deploy", "--config-env", "production", "--region", "eu-west-3", *PACKED)


def test_a_value_that_is_still_missing_is_asked_for(world: World) -> None:
    world.status, world.missing = "CREATE_COMPLETE", ("ApproverEmail",)
    command.deploy("default", None, skip_quotas=False)
    assert world.ran[-1][-1] == "--guided"


def test_a_stack_whose_first_changes_were_declined_is_still_to_be_deployed(world: World) -> None:
    world.status = "REVIEW_IN_PROGRESS"
    command.deploy("default", None, skip_quotas=False)
    assert (world.looked_up, world.ran[-1][-1]) == (1, "--guided")


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_cannot_be_updated_has_to_be_destroyed_first(world: World, status: str) -> None:
    world.status = status
    with pytest.raises(Trouble, match=f"mpg is in {status} .* `make destroy ENV=staging`"):
        command.deploy("staging", None, skip_quotas=False)
    assert world.ran == []


def test_nothing_is_deployed_when_the_build_fails(world: World) -> None:
    world.exit_codes["build"] = 1
    assert command.deploy("default", None, skip_quotas=False) == 1
    assert [arguments[0] for arguments in world.ran] == ["build"]

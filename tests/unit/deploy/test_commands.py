"""`mpg deploy`, `destroy`, `preflight` and `quotas`: what their options mean, and how they end."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from deploy.problems import Trouble
from deploy.settings import Settings
from local.cli.main import cli

WORK = {
    "deploy": "deploy.deployment.deploy",
    "destroy": "deploy.destroy.run",
    "preflight": "deploy.preflight.assumptions.check_assumptions",
    "quotas": "deploy.quotas.check_account",
}


def mpg(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What each command asks to be done; everything succeeds."""
    seen: list[tuple[Any, ...]] = []

    def work(name: str, answer: object) -> Callable[..., object]:
        def called(*arguments: object, **options: object) -> object:
            seen.append((name, *arguments, *options.items()))
            return answer

        return called

    for name, target in WORK.items():
        monkeypatch.setattr(target, work(name, 0 if name == "deploy" else True))
    return seen


def test_without_options_the_default_environment_is_deployed(calls: list[tuple[Any, ...]]) -> None:
    assert mpg("deploy").exit_code == 0
    assert calls == [("deploy", "default", None, ("skip_quotas", False))]


def test_deploy_hands_its_options_on(calls: list[tuple[Any, ...]]) -> None:
    mpg("deploy", "--config-env", "staging", "--region", "eu-west-3", "--skip-quotas")
    assert calls == [("deploy", "staging", "eu-west-3", ("skip_quotas", True))]


def test_deploy_ends_as_the_sam_cli_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WORK["deploy"], lambda environment, region, skip_quotas: 3)
    assert mpg("deploy").exit_code == 3


def test_destroy_takes_the_stack_of_an_environment(calls: list[tuple[Any, ...]]) -> None:
    assert mpg("destroy").exit_code == 0
    mpg("destroy", "--config-env", "local", "--yes")
    assert calls == [
        ("destroy", "mpg-pipeline", None, ("yes", False)),
        ("destroy", "mpg-local", "us-east-1", ("yes", True)),
    ]


def test_destroy_takes_a_stack_by_its_name(calls: list[tuple[Any, ...]]) -> None:
    mpg("destroy", "--stack-name", "mine", "--region", "eu-west-3")
    assert calls == [("destroy", "mine", "eu-west-3", ("yes", False))]


def test_a_stack_and_an_environment_exclude_each_other(calls: list[tuple[Any, ...]]) -> None:
    done = mpg("destroy", "--stack-name", "mine", "--config-env", "staging")
    assert (done.exit_code, calls) == (2, [])
    assert "not both" in done.output


def test_preflight_hands_its_options_on(calls: list[tuple[Any, ...]]) -> None:
    assert mpg("preflight", "--region", "eu-west-3", "--read-only", "--yes").exit_code == 0
    assert calls == [("preflight", "eu-west-3", ("read_only", True), ("agreed", True))]


@pytest.mark.parametrize("command", ["preflight", "quotas"])
@pytest.mark.parametrize(("fine", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_all_is_as_it_should_be(
    monkeypatch: pytest.MonkeyPatch, command: str, fine: bool, code: int
) -> None:
    monkeypatch.setattr(WORK[command], lambda *arguments, **options: fine)
    assert mpg(command).exit_code == code


def test_the_environment_decides_which_quotas_are_checked(calls: list[tuple[Any, ...]]) -> None:
    mpg("quotas", "--config-env", "staging", "--region", "eu-west-3")
    [(_, settings, region)] = calls
    assert isinstance(settings, Settings)
    assert (settings.parameters["MaxTrials"], region) == ("3", "eu-west-3")


@pytest.mark.parametrize("command", WORK)
def test_trouble_is_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise Trouble("No such thing", "Make one.")

    monkeypatch.setattr(WORK[command], fail)
    done = mpg(command)
    assert (done.exit_code, done.output) == (2, "No such thing. Make one.\n")


@pytest.mark.parametrize("command", WORK)
def test_ctrl_c_ends_a_command_as_a_shell_reports_it(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(WORK[command], interrupt)
    assert mpg(command).exit_code == 130


@pytest.mark.parametrize("command", ["deploy", "destroy", "quotas"])
def test_an_environment_that_is_not_there_is_told_with_those_that_are(command: str) -> None:
    done = mpg(command, "--config-env", "nowhere")
    assert done.exit_code == 2
    assert 'samconfig.toml has no environment "nowhere"' in done.output
    assert "staging" in done.output

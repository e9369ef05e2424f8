"""The parameters that a person may set; nonsense is refused before anything is created."""

import re
from functools import cache
from typing import Any

import pytest

from deploy.settings import Settings, read_settings
from tests.unit.template.stack import ROOT, template

PARAMETERS: dict[str, dict[str, Any]] = template()["Parameters"]
INTERFACE = template()["Metadata"]["AWS::CloudFormation::Interface"]


def accepts(name: str, value: str) -> bool:
    """Whether CloudFormation accepts the value for the parameter."""
    declared = PARAMETERS[name]
    if "AllowedValues" in declared and value not in map(str, declared["AllowedValues"]):
        return False
    if declared["Type"] == "Number":
        number = float(value)
        return float(declared.get("MinValue", number)) <= number <= float(declared.get("MaxValue", number))
    return re.fullmatch(declared.get("AllowedPattern", ".*"), value) is not None


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_says_what_it_is_for_and_has_its_place_in_the_form(name: str) -> None:
    assert PARAMETERS[name]["Description"]
    assert name in INTERFACE["ParameterLabels"]
    assert [name in group["Parameters"] for group in INTERFACE["ParameterGroups"]].count(True) == 1


def test_the_form_has_no_unknown_parameter() -> None:
    grouped = {name for group in INTERFACE["ParameterGroups"] for name in group["Parameters"]}
    assert grouped == INTERFACE["ParameterLabels"].keys() == PARAMETERS.keys()


def test_the_readme_explains_every_parameter() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name in PARAMETERS if f"`{name}`" not in readme} == set()


def test_only_the_addresses_have_to_be_given() -> None:
    without_default = {name for name, declared in PARAMETERS.items() if "Default" not in declared}
    assert without_default == {"ApproverEmail", "NotificationEmail"}


@pytest.mark.parametrize("name", [name for name in PARAMETERS if "Default" in PARAMETERS[name]])
def test_a_default_is_a_value_that_is_accepted(name: str) -> None:
    assert accepts(name, str(PARAMETERS[name]["Default"]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ApproverEmail", "a.b+c@mail.example.co.uk"),
        ("MseThreshold", "1.0"),
        ("TrainingInstanceType", "ml.c7i-flex.2xlarge"),
        ("ProcessingInstanceType", "ml.t3.medium"),
        ("ReviewReservedConcurrency", "5"),
        ("AuditRetentionDays", "3650"),
        ("AlarmEmail", ""),
        ("AlarmEmail", "on-call@example.com"),
        ("ReminderHours", "0"),
        ("DriftSignificance", "0.05"),
        ("DriftDistance", "0"),
        ("MaxRunsPerDay", "0"),
        ("MonitorSchedule", "rate(1 day)"),
        ("MonitorSchedule", "rate(12 hours)"),
        ("MonitorSchedule", "cron(0 6 ? * MON *)"),
        ("KmsKeyArn", "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        (
            "KmsKeyArn",
            "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
        ),
    ],
)
def test_a_sensible_value_is_accepted(name: str, value: str) -> None:
    assert accepts(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ApproverEmail", "nobody"),
        ("ApproverEmail", "a@b.example, c@d.example"),
        ("NotificationEmail", ""),
        ("AlarmEmail", "nobody"),
        ("ReminderHours", "-1"),
        ("MaxRunsPerDay", "1001"),
        ("MonitorSchedule", "weekly"),
        ("MonitorSchedule", "rate(0 days)"),
        # The same would be looked at all the time.
        ("MonitorSchedule", "rate(5 minutes)"),
        ("MonitorSchedule", "at(2026-01-01T00:00:00)"),
        ("DriftSignificance", "0"),
        ("DriftDistance", "1.1"),
        ("AlarmRunsPerHour", "0"),
        # EventBridge says "1 minute".
        ("SweepEveryMinutes", "1"),
        ("SweepEveryMinutes", "61"),
        ("MseThreshold", "-1"),
        ("MaxTrials", "0"),
        ("MaxParallelTrials", "11"),
        ("TrainingInstanceType", "m5.large"),
        ("TransformInstanceType", "ml.m5"),
        ("ApprovalTimeoutDays", "31"),
        ("UseSpot", "yes"),
        ("ReviewReservedConcurrency", "0"),
        ("LogRetentionDays", "2"),
        ("ExpireRunsAfterDays", "30"),
        ("KmsKeyArn", "1234abcd-12ab-34cd-56ef-1234567890ab"),
        # IAM policies do not resolve aliases.
        ("KmsKeyArn", "alias/pipeline"),
        ("KmsKeyArn", "arn:aws:kms:us-east-1:111122223333:alias/pipeline"),
        ("KmsKeyArn", "arn:aws:s3:us-east-1:111122223333:key/x"),
    ],
)
def test_nonsense_is_refused(name: str, value: str) -> None:
    assert not accepts(name, value)


def test_days_are_turned_into_seconds() -> None:
    days = PARAMETERS["ApprovalTimeoutDays"]
    seconds = {int(n): int(entry["Seconds"]) for n, entry in template()["Mappings"]["Days"].items()}
    assert seconds == {n: n * 86_400 for n in range(days["MinValue"], days["MaxValue"] + 1)}


# Reading the template takes half a second.
@cache
def environments() -> list[Settings]:
    return [read_settings(name) for name in ("default", "staging", "production", "local")]


@pytest.mark.parametrize("settings", environments(), ids=lambda settings: settings.environment)
def test_an_environment_sets_existing_parameters_to_accepted_values(
    settings: Settings,
) -> None:
    assert settings.parameters.keys() <= PARAMETERS.keys()
    assert all(accepts(name, value) for name, value in settings.parameters.items())


def test_every_environment_has_a_stack_of_its_own() -> None:
    names = [settings.stack_name for settings in environments()]
    assert names == ["mpg-pipeline", "mpg-pipeline-staging", "mpg-pipeline-production", "mpg-local"]


@pytest.mark.parametrize("settings", environments(), ids=lambda settings: settings.environment)
def test_a_stacks_name_fits_what_is_named_after_it(settings: Settings) -> None:
    # SageMaker's ARNs are in lower case, and the policies spell them with the stack's name.
    assert re.fullmatch(r"[a-z0-9](-*[a-z0-9]){0,62}", settings.stack_name)


def test_the_local_environment_asks_for_nothing() -> None:
    assert environments()[-1].missing == ()


@pytest.mark.parametrize("settings", environments()[:-1], ids=lambda settings: settings.environment)
def test_a_real_deployment_asks_for_the_addresses_and_nothing_else(settings: Settings) -> None:
    assert settings.missing == ("ApproverEmail", "NotificationEmail")

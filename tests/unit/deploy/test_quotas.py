"""The check of an account's quotas before the first deployment."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from common.workload import Workload
from deploy import quotas
from deploy.quotas import Need, check, needs, report
from deploy.settings import Settings

PARAMETERS = {
    "ProcessingInstanceType": "ml.m5.large",
    "TrainingInstanceType": "ml.c5.xlarge",
    "TransformInstanceType": "ml.m5.large",
    "ProcessingInstanceCount": "1",
    "TrainingInstanceCount": "1",
    "TransformInstanceCount": "1",
    "MaxTrials": "10",
    "MaxParallelTrials": "3",
    "UseSpot": "false",
    "ReviewReservedConcurrency": "",
    "EndpointType": "none",
    "EndpointMaxConcurrency": "5",
    "EndpointInstanceType": "ml.m5.large",
    "EndpointInstanceCount": "1",
    "EndpointMaxInstanceCount": "3",
    "CatalogueReservedConcurrency": "",
}
# Workloads, as far as quotas depend on them
PLAIN: dict[str, Any] = {"preprocessing": {}, "training": {}, "tuning": {}, "evaluation": {}, "batch": {}}
SMALL_SEARCH = {**PLAIN, "tuning": {"max_trials": 4, "max_parallel_trials": 2}}
TRAINING = "ml.c5.xlarge for training job usage"


class Account:
    """Service Quotas of an account: its own values, and AWS's defaults."""

    def __init__(self, own: dict[str, float], defaults: dict[str, float] | None = None) -> None:
        self._values = {"list_service_quotas": own, "list_aws_default_service_quotas": defaults or {}}
        self._operation = ""
        self.asked: list[tuple[str, str]] = []

    def get_paginator(self, operation: str) -> "Account":
        self._operation = operation
        return self

    def paginate(self, *, ServiceCode: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - as boto3 calls it
        self.asked.append((self._operation, ServiceCode))
        service_of = {"Concurrent executions": "lambda"}
        for name, value in self._values[self._operation].items():
            if service_of.get(name, "sagemaker") == ServiceCode:
                yield {"Quotas": [{"QuotaName": name, "QuotaCode": f"L-{len(name)}", "Value": value}]}


ENOUGH = {
    "ml.m5.large for processing job usage": 4.0,
    TRAINING: 3.0,
    "ml.m5.large for transform job usage": 1.0,
    "Concurrent executions": 10.0,
    "ml.p5.48xlarge for training job usage": 0.0,
}


def lacking(account: Account, **parameters: str) -> list[str]:
    findings = check(account, needs({**PARAMETERS, **parameters}, [PLAIN]))
    return [finding.need.name for finding in findings if finding.lacking]


def test_an_account_with_enough_lacks_nothing() -> None:
    assert lacking(Account(ENOUGH)) == []


def test_one_training_instance_is_needed_for_each_parallel_trial() -> None:
    assert lacking(Account({**ENOUGH, TRAINING: 2.0})) == [TRAINING]
    assert lacking(Account({**ENOUGH, TRAINING: 2.0}), MaxParallelTrials="2") == []


def test_jobs_on_several_instances_need_that_many() -> None:
    counts = {f"{kind}InstanceCount": "4" for kind in ("Processing", "Training", "Transform")}
    assert needed(PLAIN, **counts) == {
        "ml.m5.large for processing job usage": 4,
        TRAINING: 3 * 4,
        "ml.m5.large for transform job usage": 4,
    }


def test_no_more_trials_run_at_once_than_there_are() -> None:
    assert lacking(Account({**ENOUGH, TRAINING: 1.0}), MaxTrials="1") == []


def needed(*workloads: dict[str, Any], **parameters: str) -> dict[str, int]:
    wanted = needs({**PARAMETERS, **parameters}, workloads)
    assert len({need.name for need in wanted}) == len(wanted)
    return {need.name: need.needed for need in wanted if need.service == "sagemaker"}


@pytest.mark.parametrize(
    ("tuning", "parallel"),
    [
        ({"max_parallel_trials": 2}, 2),
        ({"max_parallel_trials": 8}, 3),
        ({"max_trials": 1}, 1),
        ({"max_trials": 20, "max_parallel_trials": 20}, 3),
    ],
)
def test_a_workload_can_only_lower_how_many_trials_run_at_once(tuning: dict[str, int], parallel: int) -> None:
    assert needed({**PLAIN, "tuning": tuning})[TRAINING] == parallel


def test_the_largest_need_of_any_workload_counts() -> None:
    assert needed(SMALL_SEARCH)[TRAINING] == 2
    assert needed(SMALL_SEARCH, PLAIN) == needed(PLAIN, SMALL_SEARCH) == needed(PLAIN)


def test_a_workload_has_instance_types_of_its_own() -> None:
    workload = {
        "preprocessing": {"instance_type": "ml.r5.large"},
        "training": {"instance_type": "ml.g5.xlarge"},
        "tuning": {"max_parallel_trials": 2},
        "evaluation": {"instance_type": "ml.c5.large"},
        "batch": {"instance_type": "ml.c5.2xlarge"},
    }
    its_own = {
        "ml.r5.large for processing job usage": 1,
        "ml.g5.xlarge for spot training job usage": 2,
        "ml.c5.large for processing job usage": 1,
        "ml.c5.2xlarge for transform job usage": 1,
    }
    assert needed(workload, UseSpot="true") == its_own
    assert needed(workload, PLAIN, UseSpot="true") == its_own | needed(PLAIN, UseSpot="true")


def test_every_workload_of_the_project_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Client(Account):
        meta = SimpleNamespace(region_name="eu-west-3")

    heavy = {**PLAIN, "training": {"instance_type": "ml.p5.48xlarge"}}
    workloads = {
        name: Workload(name, settings) for name, settings in {"plain": PLAIN, "heavy": heavy}.items()
    }
    monkeypatch.setattr(quotas, "find_workloads", lambda: workloads)
    monkeypatch.setattr(boto3, "client", lambda service, region_name: Client(ENOUGH))
    assert not quotas.check_account(Settings("default", "stack", "eu-west-3", PARAMETERS, ()), None)
    shown = capsys.readouterr().out
    assert re.search(r"^ml\.p5\.48xlarge for training job usage +3  0  <- too little$", shown, re.MULTILINE)
    assert TRAINING in shown


def test_spot_training_has_a_quota_of_its_own() -> None:
    spot = "ml.c5.xlarge for spot training job usage"
    assert lacking(Account({**ENOUGH, spot: 0.0}), UseSpot="true") == [spot]


def test_a_reservation_needs_more_concurrency_than_a_new_account_has() -> None:
    assert lacking(Account(ENOUGH), ReviewReservedConcurrency="5") == ["Concurrent executions"]
    enough = Account({**ENOUGH, "Concurrent executions": 105.0})
    assert lacking(enough, ReviewReservedConcurrency="5") == []
    both = {"ReviewReservedConcurrency": "5", "CatalogueReservedConcurrency": "1"}
    assert lacking(enough, **both) == ["Concurrent executions"]


def test_aws_default_counts_where_the_account_has_no_value_of_its_own() -> None:
    own = {name: value for name, value in ENOUGH.items() if name != TRAINING}
    assert lacking(Account(own, {TRAINING: 0.0})) == [TRAINING]
    assert lacking(Account(own, {TRAINING: 15.0})) == []


def test_the_accounts_own_value_wins_over_the_default() -> None:
    own = {**ENOUGH, TRAINING: 0.0}
    del own["Concurrent executions"]
    assert lacking(Account(own, {TRAINING: 15.0, "Concurrent executions": 1000.0})) == [TRAINING]


def test_defaults_are_not_listed_when_the_account_answers_it_all() -> None:
    account = Account(ENOUGH)
    check(account, needs(PARAMETERS, [PLAIN]))
    assert {operation for operation, _ in account.asked} == {"list_service_quotas"}


def test_an_instance_type_unknown_in_the_region_is_reported_as_lacking() -> None:
    name = "ml.x9.large for training job usage"
    findings = check(Account(ENOUGH), [Need("sagemaker", name, 1)])
    text = "\n".join(report(findings, "eu-west-3"))
    assert findings[0].lacking
    assert f"eu-west-3 has no quota named {name!r}" in text


def test_the_table_says_what_is_needed_what_exists_and_how_to_get_the_rest() -> None:
    findings = check(Account({**ENOUGH, TRAINING: 0.0}), needs(PARAMETERS, [PLAIN]))
    text = "\n".join(report(findings, "eu-west-3"))
    assert re.search(rf"^{re.escape(TRAINING)} +3  0  <- too little$", text, re.MULTILINE)
    assert re.search(r"^ml\.m5\.large for processing job usage +1  4$", text, re.MULTILINE)
    command = "aws service-quotas request-service-quota-increase --region eu-west-3 --service-code sagemaker"
    assert f"{command} --quota-code L-35 --desired-value 3" in text
    assert (
        "https://eu-west-3.console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas/L-35" in text
    )


def test_every_workload_has_a_share_of_the_concurrency_of_serverless_endpoints() -> None:
    serverless = {**PARAMETERS, "EndpointType": "serverless"}
    [need] = [need for need in needs(serverless, [PLAIN, PLAIN]) if need.code]
    assert need.needed == 10
    listed = {"QuotaName": "Some name", "QuotaCode": need.code, "Value": 5.0}
    assert quotas.Finding(need, listed).lacking
    assert not quotas.Finding(need, {**listed, "Value": 10.0}).lacking


def test_a_quota_that_is_known_by_its_code_only_is_not_lacking_where_it_is_not_listed() -> None:
    [finding] = check(Account({}), [Need("sagemaker", "a name of ours", 10, "L-96300102")])
    assert not finding.lacking


def test_endpoints_on_instances_need_room_for_the_new_ones_beside_the_old() -> None:
    own = {**PLAIN, "endpoint": {"instance_type": "ml.c5.large"}}
    found = needs({**PARAMETERS, "EndpointType": "instance"}, [PLAIN, PLAIN, own])
    endpoints = {need.name: need.needed for need in found if "endpoint" in need.name}
    assert endpoints == {"ml.m5.large for endpoint usage": 12, "ml.c5.large for endpoint usage": 6}

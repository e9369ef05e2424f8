"""The look at an account's quotas before the first deployment."""

import re
from collections.abc import Iterator
from typing import Any

from deploy.quotas import Need, check, needs, report

PARAMETERS = {
    "ProcessingInstanceType": "ml.m5.large",
    "TrainingInstanceType": "ml.c5.xlarge",
    "TransformInstanceType": "ml.m5.large",
    "MaxTrials": "10",
    "MaxParallelTrials": "3",
    "UseSpot": "false",
    "ReviewReservedConcurrency": "",
}
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
    findings = check(account, needs({**PARAMETERS, **parameters}))
    return [finding.need.name for finding in findings if finding.lacking]


def test_an_account_with_enough_lacks_nothing() -> None:
    assert lacking(Account(ENOUGH)) == []


def test_one_training_instance_is_needed_for_each_parallel_trial() -> None:
    assert lacking(Account({**ENOUGH, TRAINING: 2.0})) == [TRAINING]
    assert lacking(Account({**ENOUGH, TRAINING: 2.0}), MaxParallelTrials="2") == []


def test_no_more_trials_run_at_once_than_there_are() -> None:
    assert lacking(Account({**ENOUGH, TRAINING: 1.0}), MaxTrials="1") == []


def test_spot_training_has_a_quota_of_its_own() -> None:
    spot = "ml.c5.xlarge for spot training job usage"
    assert lacking(Account({**ENOUGH, spot: 0.0}), UseSpot="true") == [spot]


def test_a_reservation_needs_more_concurrency_than_a_new_account_has() -> None:
    assert lacking(Account(ENOUGH), ReviewReservedConcurrency="5") == ["Concurrent executions"]
    enough = Account({**ENOUGH, "Concurrent executions": 105.0})
    assert lacking(enough, ReviewReservedConcurrency="5") == []


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
    check(account, needs(PARAMETERS))
    assert {operation for operation, _ in account.asked} == {"list_service_quotas"}


def test_an_instance_type_that_the_region_does_not_know_is_lacking_and_said_so() -> None:
    name = "ml.x9.large for training job usage"
    findings = check(Account(ENOUGH), [Need("sagemaker", name, 1)])
    text = "\n".join(report(findings, "eu-west-3"))
    assert findings[0].lacking
    assert f"eu-west-3 has no quota named {name!r}" in text


def test_the_table_says_what_is_needed_what_there_is_and_how_to_get_the_rest() -> None:
    findings = check(Account({**ENOUGH, TRAINING: 0.0}), needs(PARAMETERS))
    text = "\n".join(report(findings, "eu-west-3"))
    assert re.search(rf"^{re.escape(TRAINING)} +3  0  <- too little$", text, re.MULTILINE)
    assert re.search(r"^ml\.m5\.large for processing job usage +1  4$", text, re.MULTILINE)
    command = "aws service-quotas request-service-quota-increase --region eu-west-3 --service-code sagemaker"
    assert f"{command} --quota-code L-35 --desired-value 3" in text
    assert (
        "https://eu-west-3.console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas/L-35" in text
    )

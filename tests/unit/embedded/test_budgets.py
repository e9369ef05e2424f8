"""CloudFormation's budgets are refused where AWS refuses them."""

from typing import Any

import pytest

from local.embedded.budgets import budget_handlers

ACCOUNT = "000000000000"
TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms"
BUDGET = {
    "BudgetName": "mine",
    "BudgetType": "COST",
    "TimeUnit": "MONTHLY",
    "BudgetLimit": {"Amount": "50", "Unit": "USD"},
    "CostFilters": {"TagKeyValue": ["user:mpg:stack$mine"]},
}
NOTIFICATION = {
    "NotificationType": "ACTUAL",
    "ComparisonOperator": "GREATER_THAN",
    "Threshold": "80",
    "ThresholdType": "PERCENTAGE",
}


def properties(**budget: Any) -> dict[str, Any]:
    subscribers = [{"SubscriptionType": "SNS", "Address": TOPIC}]
    notified = [{"Notification": NOTIFICATION, "Subscribers": subscribers}]
    return {"Budget": {**BUDGET, **budget}, "NotificationsWithSubscribers": notified}


class Service:
    """Takes every request; publishing is allowed to these topics."""

    def __init__(self, *topics: str) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.handlers = budget_handlers(self._call, ACCOUNT, lambda topic, budget: topic in topics)

    def _call(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append((action, request))
        return {}

    def create(self, props: dict[str, Any]) -> str:
        return str(self.handlers["create"]("Budget", props, "stack")[0])


def test_a_budget_is_created_and_deleted_by_its_name() -> None:
    service = Service(TOPIC)
    assert service.create(properties()) == "mine"
    service.handlers["delete"]("mine", properties())
    (action, created), deleted = service.requests
    assert (action, created["AccountId"], created["Budget"]["BudgetName"]) == (
        "CreateBudget",
        ACCOUNT,
        "mine",
    )
    assert created["NotificationsWithSubscribers"][0]["Notification"]["Threshold"] == 80.0
    assert deleted == ("DeleteBudget", {"AccountId": ACCOUNT, "BudgetName": "mine"})


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"Colour": "red"}, "extraneous key .*Colour.* is not permitted"),
        ({"TimeUnit": "WEEKLY"}, "WEEKLY"),
        ({"BudgetLimit": {"Amount": "0", "Unit": "USD"}}, "must be greater than 0"),
        ({"CostFilters": {"TagKeyValue": ["mpg:stack"]}}, "must be user:<key>"),
        ({"BudgetName": "a:b"}, "BudgetName|budgetName"),
    ],
)
def test_what_aws_refuses_is_refused(budget: dict[str, Any], said: str) -> None:
    service = Service(TOPIC)
    with pytest.raises(ValueError, match=said):
        service.create(properties(**budget))
    assert service.requests == []


def test_a_topic_whose_policy_does_not_admit_the_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="does not let arn:aws:budgets::000000000000:budget/mine publish"):
        Service().create(properties())


def test_a_notification_has_one_topic_at_most() -> None:
    props = properties()
    props["NotificationsWithSubscribers"][0]["Subscribers"] *= 2
    with pytest.raises(ValueError, match="at most one SNS topic"):
        Service(TOPIC).create(props)

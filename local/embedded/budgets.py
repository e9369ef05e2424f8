"""`AWS::Budgets::Budget` for the embedded CloudFormation.

By https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-budgets-budget.html.
The emulator keeps the budget and answers for it. Nothing is billed here, so no notification is ever sent.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from local.sagemaker import ServiceError
from local.sagemaker.models import service_model
from local.sagemaker.validation import check_shape

TYPE = "AWS::Budgets::Budget"
_PROPERTIES = {"Budget", "NotificationsWithSubscribers", "ResourceTags"}
# Of the API's budget, those that CloudFormation takes.
_OF_A_BUDGET = {
    *("AutoAdjustData", "BillingViewArn", "BudgetLimit", "BudgetName", "BudgetType", "CostFilters"),
    *("CostTypes", "FilterExpression", "Metrics", "PlannedBudgetLimits", "TimePeriod", "TimeUnit"),
}
_MOST_NOTIFICATIONS = 10
# A tag in a filter: `user:<key>$<value>` for a tag of one's own.
_TAG_FILTER, _TAG_PREFIXES = "TagKeyValue", ("user:", "aws:")


class Budgets(Protocol):
    """The emulator's service: takes an action and its request. Raises ValueError with the reason."""

    def __call__(self, action: str, request: dict[str, Any]) -> dict[str, Any]: ...


def budget_handlers(
    call: Budgets, account: str, may_publish: Callable[[str, str], bool]
) -> Mapping[str, Callable[..., Any]]:
    """Create, update and delete, in the emulator's form.

    `may_publish` says whether the policy of a topic lets a budget, by its ARN, publish there.
    """

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        request = _checked(logical_id, props) | {"AccountId": account}
        name = request["Budget"].setdefault("BudgetName", f"{stack_name}-{logical_id}")
        budget = f"arn:aws:budgets::{account}:budget/{name}"
        for topic in _topics(request):
            if not may_publish(topic, budget):
                raise ValueError(f"{topic} does not exist, or its policy does not let {budget} publish there")
        call("CreateBudget", request)
        return name, {}

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        # Another name makes another budget; here, any change does.
        delete(physical_id, old)
        return create(physical_id, new, stack_name)

    def delete(physical_id: str, props: dict[str, Any]) -> None:
        call("DeleteBudget", {"AccountId": account, "BudgetName": physical_id})

    return {"create": create, "update": update, "delete": delete}


def _checked(logical_id: str, props: Mapping[str, Any]) -> dict[str, Any]:
    """The request that these properties make. Raises ValueError, as CloudFormation refuses them."""
    budget, notifications = dict(props.get("Budget") or {}), props.get("NotificationsWithSubscribers") or []
    if extra := [*(props.keys() - _PROPERTIES), *(budget.keys() - _OF_A_BUDGET)]:
        raise ValueError(
            f"Properties validation failed for resource {logical_id}: extraneous key {extra} is not permitted"
        )
    if limit := budget.get("BudgetLimit"):
        # The API has a text where CloudFormation has a number.
        budget["BudgetLimit"] = {**limit, "Amount": str(limit.get("Amount"))}
    request = {"AccountId": "0" * 12, "Budget": {"BudgetName": logical_id, **budget}}
    if notifications:
        request["NotificationsWithSubscribers"] = [*map(_with_number, notifications)]
    try:
        check_shape(service_model("budgets").operation_model("CreateBudget").input_shape, request)
    except ServiceError as error:
        raise ValueError(error.message) from error
    if problem := next(_problems(budget, notifications), None):
        raise ValueError(problem)
    return request | {"Budget": budget}


def _with_number(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The threshold as a number: what a template takes from parameters is a text."""
    notification = dict(entry.get("Notification") or {})
    threshold = notification.get("Threshold")
    return {**entry, "Notification": {**notification, "Threshold": threshold and float(threshold)}}


def _problems(budget: Mapping[str, Any], notifications: list[Mapping[str, Any]]) -> Iterator[str]:
    """What the service refuses, besides a wrong shape."""
    if budget.get("BudgetType") == "COST" and "BudgetLimit" not in budget:
        yield "BudgetLimit is required for a cost budget"
    if float(budget.get("BudgetLimit", {}).get("Amount", 1)) <= 0:
        yield "BudgetLimit must be greater than 0"
    for each in budget.get("CostFilters", {}).get(_TAG_FILTER, []):
        if not each.startswith(_TAG_PREFIXES) or "$" not in each:
            yield f"{_TAG_FILTER} must be user:<key>$<value> or aws:<key>$<value>, not {each}"
    if len(notifications) > _MOST_NOTIFICATIONS:
        yield f"a budget has at most {_MOST_NOTIFICATIONS} notifications"
    for each in notifications:
        topics = [one for one in each["Subscribers"] if one["SubscriptionType"] == "SNS"]
        if len(topics) > 1:
            yield "a notification has at most one SNS topic"


def _topics(request: Mapping[str, Any]) -> Iterator[str]:
    for each in request.get("NotificationsWithSubscribers", []):
        yield from (one["Address"] for one in each["Subscribers"] if one["SubscriptionType"] == "SNS")

"""The emulator's AWS Budgets, for CloudFormation, and whether a budget may publish on a topic."""

import json
from collections.abc import Callable
from typing import Any

from local.embedded.iam import Questions
from local.embedded.seams.roles import policy_lets

_BUDGETS = "budgets.amazonaws.com"


def call_budgets(action: str, request: dict[str, Any]) -> dict[str, Any]:
    """Answer an action of AWS Budgets. Raises ValueError with the service's reason."""
    from ministack.services import budgets

    status, _, body = budgets._DISPATCH[action](request)
    answer: dict[str, Any] = json.loads(body or "{}")
    if status >= 400:
        raise ValueError(str(answer.get("message") or answer.get("Message") or answer))
    return answer


def budget_may_publish(questions: Questions) -> Callable[[str, str], bool]:
    """Whether the policy of a topic lets a budget publish there, both by ARN; False without such a topic."""

    def may_publish(topic: str, budget: str) -> bool:
        from ministack.services import sns

        policy, _ = sns.topic_policy_for_arn(topic) or (None, "")
        origin = {"aws:sourcearn": budget, "aws:sourceaccount": budget.split(":")[4]}
        return policy_lets(_BUDGETS, "sns:Publish", topic, origin, policy, questions)

    return may_publish

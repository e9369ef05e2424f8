"""IAM: what services may do on their own behalf and as the roles that trust them."""

import hmac
import os
from collections.abc import Callable, Mapping
from typing import Any

from local.embedded.iam import CannotAssume, Question, Questions


def role_credentials(service: str, questions: Questions) -> Callable[[str], Mapping[str, str]]:
    """Role ARN -> credentials with which `service` (such as states.amazonaws.com) acts as the role.

    They do not expire, just as a service renews its credentials by itself. Raises CannotAssume. Without
    enforcement, every role is the account's root.
    """

    def credentials(role_arn: str) -> Mapping[str, str]:
        from ministack import app

        if not app.AUTH:
            return {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        check_trust(service, role_arn, questions)
        return _role_session(role_arn, service.partition(".")[0])

    return credentials


def _role_session(role_arn: str, name: str) -> dict[str, str]:
    """Credentials of a session of the role, by the names of boto3's arguments; the same at each call."""
    from ministack.services import sts

    account, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    # It cannot be predicted without the root's secret.
    root_secret = os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    digest = hmac.new(root_secret, f"{role_arn} {name}".encode(), "sha512").hexdigest()
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "UserId": f"AROA{digest[:17].upper()}:{name}",
        "SecretAccessKey": digest[32:72],
        "SessionToken": digest[72:],
        "AccountId": account,
        "PrincipalType": "AssumedRole",
    }
    access_key = f"ASIA{digest[16:32].upper()}"
    sts.register_session(access_key, session)
    return {
        "aws_access_key_id": access_key,
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }


def check_trust(service: str, role_arn: str, questions: Questions) -> None:
    from ministack.core import iam_evaluator
    from ministack.services import iam

    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    role = iam._roles.get_scoped(account, None, name)
    if role is None:
        raise CannotAssume(f"There is no role {role_arn}.")
    context = _service_context("sts:AssumeRole", role_arn, {"aws:sourceaccount": account})
    decision = iam_evaluator.evaluate_resource_policy(role["AssumeRolePolicyDocument"], context, service)
    questions.add(_service_question(service, context, "trust", decision))
    if decision.decision != "Allow":
        raise CannotAssume(f"{role_arn} does not trust {service}.")


def _service_context(action: str, resource: str, context: Mapping[str, str]) -> Any:
    from ministack.core import iam_evaluator

    return iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region="us-east-1",
        service_context=dict(context),
    )


def _service_question(service: str, ctx: Any, by: str, result: Any) -> Question:
    allowed = result.decision == "Allow"
    return Question(service, ctx.action, ctx.resource_arn, allowed, by, ctx.service_context)


def check_function_roles(questions: Questions) -> None:
    """Give a function its role's credentials only if the role trusts Lambda."""
    from ministack import app
    from ministack.core import lambda_runtime

    original = lambda_runtime.execution_credentials

    def execution_credentials(config: dict[str, Any]) -> dict[str, str]:
        if not app.AUTH:
            return original(config)  # type: ignore[no-any-return]
        check_trust("lambda.amazonaws.com", config["Role"], questions)
        # The emulator derives its own from the function's name, which anybody can guess.
        session = _role_session(config["Role"], config["FunctionName"][:64])
        return {name.upper(): value for name, value in session.items()}

    lambda_runtime.execution_credentials = execution_credentials


def policy_lets(
    service: str, action: str, resource: str, context: Mapping[str, str], policy: Any, questions: Questions
) -> bool:
    """Whether a resource's own policy allows a service to act on its own behalf."""
    from ministack.core import iam_evaluator

    asked = _service_context(action, resource, context)
    decision = iam_evaluator.evaluate_resource_policy(policy, asked, service)
    questions.add(_service_question(service, asked, "resource", decision))
    return bool(decision.decision == "Allow")


def role_may(
    role_arn: str, action: str, resource: str, questions: Questions, context: Mapping[str, str] | None = None
) -> bool:
    """Whether the role's own policies, and a key's, allow what a service does without a request."""
    from ministack.core import iam_evaluator
    from ministack.services import kms

    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    asked = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/service",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region="us-east-1",
        service_context=dict(context or {}),
    )
    result = iam_evaluator.evaluate(asked, iam_evaluator._gather_role_policies(name, account))
    if action.startswith("kms:"):
        policy = kms.key_policy_for_arn(resource) or (None, account)
        result = iam_evaluator.combine_resource_policy(result, asked, *policy, required=True)
    allowed = bool(result.decision == "Allow")
    questions.add(Question(asked.principal_arn, action, resource, allowed, context=asked.service_context))
    return allowed

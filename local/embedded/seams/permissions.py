"""IAM: extends the emulator's decisions about the callers of its API; `roles.py` is about its services."""

import re
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from local.embedded.iam import Question, Questions
from local.embedded.seams.executions import json_object
from local.embedded.seams.journey import records_of_tokens
from local.embedded.seams.roles import check_function_roles

# Some five times as many as an application has; each is some kilobytes.
_POLICIES = 256

SagemakerResource = Callable[[str, Mapping[str, Any], str, str], str]


def install_iam(questions: Questions, sagemaker_resource: SagemakerResource) -> None:
    """Let the emulator also decide about SageMaker's actions and task tokens, and keep the questions."""
    from ministack import app
    from ministack.core import iam_actions

    iam_actions.SERVICE_TO_IAM_NAMESPACE["sagemaker"] = "sagemaker"
    _name_resources(sagemaker_resource)
    _keep_questions(questions)
    _read_policies_once()
    check_function_roles(questions)
    _let_nobody_in_by_default()
    # The bucket refuses requests without TLS. No request leaves this machine, so all count as TLS.
    pin = app.pin_request_origin
    app.pin_request_origin = lambda source_ip, secure_transport: pin(source_ip, True)


def _let_nobody_in_by_default() -> None:
    """Fix the policy of a topic without one: the emulator's CloudFormation lets everybody publish.

    On AWS it names the account that owns the topic, whose roles still need a permission of their own.
    """
    from ministack.services import sns

    original = sns.topic_policy_for_arn

    def topic_policy_for_arn(topic_arn: str) -> tuple[str, str] | None:
        found: tuple[str, str] | None = original(topic_arn)
        return ("", found[1]) if found and '"__default_policy_ID"' in found[0] else found

    sns.topic_policy_for_arn = topic_policy_for_arn


def _read_policies_once() -> None:
    """Parse the text of a policy once: every call asks for all the policies of its caller, several times."""
    from ministack.core import iam_evaluator

    original = iam_evaluator.parse_policy_document
    of_text = lru_cache(_POLICIES)(original)
    iam_evaluator.parse_policy_document = lambda doc: of_text(doc) if isinstance(doc, str) else original(doc)


def _name_resources(sagemaker_resource: SagemakerResource) -> None:
    from ministack.core import iam_actions

    original = iam_actions.extract_resource_arn

    def resource_arn(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Any,
        region: str,
        account_id: str,
    ) -> Any:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if service == "sagemaker":
            return sagemaker_resource(action, json_object(body), region, account_id)
        if service == "states" and action.startswith("SendTask"):
            # AWS knows it from the token itself, even after the wait has ended.
            record = records_of_tokens.get(json_object(body).get("taskToken"), {})
            return record.get("stateMachineArn", "*")
        return original(service, method, path, headers, body, query_params, region, account_id)

    iam_actions.extract_resource_arn = resource_arn


def _keep_questions(questions: Questions) -> None:
    from ministack.core import iam_evaluator

    original_evaluate, original_enforce = iam_evaluator.evaluate, iam_evaluator.enforce
    last = threading.local()

    def evaluate(ctx: Any, *args: Any) -> Any:
        last.context = ctx
        return original_evaluate(ctx, *args)

    def enforce(*args: Any, **kwargs: Any) -> Any:
        last.context = None
        denied = original_enforce(*args, **kwargs)
        # Nothing is evaluated for the account's root and for unauthenticated callers.
        if ctx := last.context:
            keys = {name: value for name, value in ctx.service_context.items() if value is not None}
            questions.add(
                Question(ctx.principal_arn, ctx.action, ctx.resource_arn, denied is None, context=keys)
            )
        return denied

    iam_evaluator.evaluate, iam_evaluator.enforce = evaluate, enforce


def also_ask(more: Callable[[Callable[..., Any], str, str, str, str], Any]) -> None:
    """Ask `more` about every call that is allowed so far.

    It receives a function that asks about the same caller, and the call's action, service, region and
    resource; it returns a refusal or None.
    """
    from ministack.core import iam_evaluator

    enforce = iam_evaluator.enforce

    def enforce_more(
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        *rest: Any,
        **named: Any,
    ) -> Any:
        denied = enforce(access_key, action, service, region, resource_arn, *rest, **named)
        if denied is not None:
            return denied
        return more(partial(enforce, access_key), action, service, region, resource_arn)

    iam_evaluator.enforce = enforce_more


def refusal(
    headers: Mapping[str, str], action: str, resource: str, context: Mapping[str, Any] | None = None
) -> str | None:
    """Why the caller of an allowed request may not also do this; None if they may."""
    from ministack import app
    from ministack.core import iam_evaluator

    if not app.AUTH:
        return None
    key = _SIGNED_BY.search(headers.get("authorization", ""))
    denied = iam_evaluator.enforce(
        key[1] if key else "", action, action.partition(":")[0], "us-east-1", resource, dict(context or {})
    )
    if denied is None:
        return None
    who = getattr(denied, "principal_arn", "") or "anonymous"
    return (
        f"User: {who} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


_SIGNED_BY = re.compile(r"Credential=([^/]+)/")

"""The one file that touches ministack's private names: where the services it lacks are let in.

ministack is pinned. `check()` says, in one sentence a name, what a new version moved.
"""

import hashlib
import importlib
import inspect
import json
import logging
import os
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.embedded.iam import CannotAssume, Question, Questions
from local.embedded.machine import can_walk, walk
from local.embedded.mailbox import Mailbox
from local.embedded.task_errors import TaskError
from local.embedded.tasks import Callback, Execution, Integrations, new_token

MINISTACK_VERSION = "1.5.33"

logger = logging.getLogger(__name__)

# How the script of ministack's Python worker tells an error.
_TELLS_ERROR = '"error": str(e), "trace": '

# Module, name, and the parameters that this file relies on (None: no function).
SEAMS: tuple[tuple[str, str, tuple[str, ...] | None], ...] = (
    ("app", "app", ("scope", "receive", "send")),
    ("app", "SERVICE_HANDLERS", None),
    ("app", "pin_request_origin", ("source_ip", "secure_transport")),
    (
        "core.iam_actions",
        "extract_resource_arn",
        ("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
    ),
    ("core.iam_actions", "SERVICE_TO_IAM_NAMESPACE", None),
    ("core.iam_evaluator", "_gather_role_policies", ("role_name", "account_id")),
    (
        "core.iam_evaluator",
        "enforce",
        ("access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"),
    ),
    ("core.iam_evaluator", "evaluate", ("ctx", "policies")),
    ("core.iam_evaluator", "evaluate_resource_policy", ("doc", "ctx", "service")),
    ("core.iam_evaluator", "EvalContext", None),
    ("core.responses", "get_account_id", ()),
    ("core.router", "SERVICE_PATTERNS", None),
    ("core.lambda_runtime", "_PYTHON_WORKER_SCRIPT", None),
    ("core.lambda_runtime", "Worker", None),
    ("core.lambda_runtime", "execution_credentials", ("config",)),
    ("services.iam", "_create_service_linked_role", ("p",)),
    ("services.iam", "_roles", None),
    ("services.lambda_svc", "_execute_function_warm", ("func", "event", "request_id")),
    ("services.lambda_svc", "_functions", None),
    ("services.lambda_svc", "_route_async_failure", ("target_arn", "func_name", "event", "result")),
    ("services.lambda_svc", "function_policy_for_arn", ("resource_arn",)),
    ("services.cloudformation.provisioners", "_RESOURCE_HANDLERS", None),
    ("services.eventbridge", "_put_events", ("data", "allow_aws_source")),
    ("services.eventbridge", "_dispatch_event", None),
    ("services.eventbridge", "_invoke_target", ("target", "event", "rule", "view")),
    ("services.s3", "_fire_s3_event", ("version_id",)),
    ("services.sns", "_fanout", ("topic_arn", "msg_id", "message", "subject", "message_structure")),
    ("services.sns", "_subscribe", ("params",)),
    ("services.sns", "_topic_by_arn_any_scope", ("topic_arn",)),
    ("services.sqs", "queue_policy_for_arn", ("queue_arn",)),
    ("services.stepfunctions", "_run_execution", ("exec_arn",)),
    ("services.stepfunctions", "_ExecutionError", ("error", "cause")),
    (
        "services.stepfunctions",
        "_apply_jsonata_template",
        ("value", "raw_input", "ctx", "result", "error_output"),
    ),
    (
        "services.stepfunctions",
        "_apply_state_assign",
        ("state_def", "raw_input", "ctx", "result", "error_output"),
    ),
    ("services.stepfunctions", "_add_event", ("execution", "event_type", "details")),
    ("services.stepfunctions", "_emit_execution_status_event", ("execution",)),
    ("services.stepfunctions", "_executions", None),
    ("services.stepfunctions", "_iso_to_epoch_ms", ("iso",)),
    ("services.stepfunctions", "handle_request", ("method", "path", "headers", "body", "query_params")),
    ("services.stepfunctions", "now_iso", None),
    ("services.stepfunctions", "_state_machines", None),
    ("services.stepfunctions", "_task_tokens", None),
    ("services.sts", "register_session", ("access_key", "session")),
)


def settings(port: int, folder: Path, *, enforce_iam: bool = True) -> dict[str, str]:
    """The environment that ministack and the functions it runs read."""
    return {
        "AUTH": "true" if enforce_iam else "false",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": "000000000000",
        "MINISTACK_REGION": "us-east-1",
        "LAMBDA_EXECUTOR": "local",
        # A function must stay warm for as long as a person looks at a mail.
        "LAMBDA_WARM_TTL_SECONDS": "86400",
        # Nothing here takes minutes to recover, so a retry waits a tenth of what it waits on AWS.
        "SFN_WAIT_SCALE": os.environ.get("SFN_WAIT_SCALE", "0.1"),
        "S3_PERSIST": "0",
        # Doors that nobody asked for: MQTT on all interfaces, SFTP, and whatever Docker is on this machine.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        "TMPDIR": str(folder),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def configure(port: int, folder: Path, *, enforce_iam: bool = True) -> None:
    """Set what ministack reads when it is imported; call this before anything imports it."""
    os.environ.update(settings(port, folder, enforce_iam=enforce_iam))


def check() -> list[str]:
    """What the installed ministack lacks of the names that this file uses, a sentence each."""
    problems = []
    for module, name, parameters in SEAMS:
        try:
            found = getattr(importlib.import_module(f"ministack.{module}"), name)
        except (ImportError, AttributeError):
            problems.append(f"ministack.{module}.{name} is gone: local/embedded/seams.py has to follow.")
            continue
        if parameters and not set(parameters) <= set(inspect.signature(found).parameters):
            problems.append(f"ministack.{module}.{name} no longer takes {', '.join(parameters)}.")
    if not problems:
        problems += _moved_text()
    return problems


def _moved_text() -> list[str]:
    from ministack.core import lambda_runtime

    if _TELLS_ERROR in lambda_runtime._PYTHON_WORKER_SCRIPT:
        return []
    return ["ministack's Python worker no longer tells an error as local/embedded/seams.py expects."]


def application() -> Callable[..., Awaitable[None]]:
    """ministack's ASGI application."""
    from ministack import app

    return app.app  # type: ignore[no-any-return]


def install_service(name: str, target_prefix: str, handler: Callable[..., Any]) -> None:
    """Answer requests whose X-Amz-Target begins with `target_prefix` by `handler`."""
    from ministack import app
    from ministack.core import router

    app.SERVICE_HANDLERS[name] = handler
    router.SERVICE_PATTERNS[name] = {"target_prefixes": [target_prefix], "host_patterns": []}


def install_resource_type(name: str, handlers: Mapping[str, Callable[..., Any]]) -> None:
    """Teach CloudFormation a resource type."""
    from ministack.services.cloudformation import provisioners

    provisioners._RESOURCE_HANDLERS[name] = dict(handlers)


def install_event_source(source: str) -> None:
    """Let a service that is not ministack's own put events of `source`, such as aws.sagemaker."""
    from ministack.services import eventbridge

    original = eventbridge._put_events

    def put_events(data: Mapping[str, Any], allow_aws_source: bool = False) -> Any:
        ours = all(entry.get("Source") == source for entry in data.get("Entries", []))
        return original(data, allow_aws_source or ours)

    eventbridge._put_events = put_events


SagemakerResources = Callable[[str, Mapping[str, Any], str, str], list[str]]


def install_iam(questions: Questions, sagemaker_resources: SagemakerResources) -> None:
    """Let the emulator decide about SageMaker's actions and task tokens too, and keep what it was asked."""
    from ministack import app
    from ministack.core import iam_actions

    iam_actions.SERVICE_TO_IAM_NAMESPACE["sagemaker"] = "sagemaker"
    _name_resources(sagemaker_resources)
    _keep_questions(questions)
    _check_deliveries(questions)
    _check_function_roles(questions)
    # The bucket refuses what does not come by TLS. Nothing here leaves this machine, which stands for it.
    pin = app.pin_request_origin
    app.pin_request_origin = lambda source_ip, secure_transport: pin(source_ip, True)


def _name_resources(sagemaker_resources: SagemakerResources) -> None:
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
            # Where a call needs more than one resource, its handler asks about the others.
            return sagemaker_resources(action, _json_object(body), region, account_id)[0]
        if service == "states" and action.startswith("SendTask"):
            # Known from the token itself on AWS, also when nobody waits for it any more.
            record = _records_of_tokens.get(_json_object(body).get("taskToken"), {})
            return record.get("stateMachineArn", "*")
        return original(service, method, path, headers, body, query_params, region, account_id)

    iam_actions.extract_resource_arn = resource_arn


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


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
        # Nothing is evaluated for the account's root and for whoever could not say who they are.
        if ctx := last.context:
            keys = {name: value for name, value in ctx.service_context.items() if value is not None}
            questions.add(
                Question(ctx.principal_arn, ctx.action, ctx.resource_arn, denied is None, context=keys)
            )
        return denied

    iam_evaluator.evaluate, iam_evaluator.enforce = evaluate, enforce


def refusal(
    headers: Mapping[str, str], action: str, resource: str, context: Mapping[str, str] | None = None
) -> str | None:
    """Why the caller of a request that was let in may not do this as well; None if they may."""
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


def role_credentials(service: str, questions: Questions) -> Callable[[str], Mapping[str, str]]:
    """Role ARN -> credentials with which `service` (such as states.amazonaws.com) acts as the role.

    They do not expire, as those do not that a service renews by itself. Raises CannotAssume. Without
    enforcement it is the account's root for every role.
    """

    def credentials(role_arn: str) -> Mapping[str, str]:
        from ministack import app
        from ministack.services import sts

        if not app.AUTH:
            return {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        _check_trust(service, role_arn, questions)
        account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
        digest = hashlib.sha256(f"{service} {role_arn}".encode()).hexdigest()
        session = {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{service.partition('.')[0]}",
            "UserId": f"AROA{digest[:17].upper()}:{service}",
            "SecretAccessKey": digest,
            "SessionToken": digest[::-1],
            "AccountId": account,
            "PrincipalType": "AssumedRole",
        }
        access_key = f"ASIA{digest[:16].upper()}"
        sts.register_session(access_key, session)
        return {
            "aws_access_key_id": access_key,
            "aws_secret_access_key": session["SecretAccessKey"],
            "aws_session_token": session["SessionToken"],
        }

    return credentials


def _check_trust(service: str, role_arn: str, questions: Questions) -> None:
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


def make_service_role(role_arn: str, policy: Mapping[str, Any]) -> None:
    """A service-linked role as AWS makes it when a service is first used."""
    from ministack.services import iam

    service, name = role_arn.split("/")[-2:]
    iam._create_service_linked_role({"AWSServiceName": [service]})
    made = iam._roles.pop(f"AWSServiceRoleFor{service.partition('.')[0].capitalize()}")
    made.update(RoleName=name, Arn=role_arn, InlinePolicies={"ServiceRole": json.dumps(policy)})
    iam._roles[name] = made


def _check_deliveries(questions: Questions) -> None:
    """EventBridge and Lambda hand events on inside the emulator: ask the policies that AWS asks then."""
    from ministack import app
    from ministack.services import eventbridge, lambda_svc

    original_invoke, original_route = eventbridge._invoke_target, lambda_svc._route_async_failure

    def invoke(target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], *args: Any) -> None:
        if app.AUTH and not _may_deliver(target, rule, questions):
            logger.error("EventBridge may not deliver to %s: no policy allows it", target["Arn"])
            return
        original_invoke(target, event, rule, *args)

    def route(target_arn: str, func_name: str, *args: Any) -> None:
        role = lambda_svc._functions[func_name]["config"]["Role"]
        if app.AUTH and not role_may(role, "sqs:SendMessage", target_arn, questions):
            logger.error("Lambda may not put failed events of %s into %s", func_name, target_arn)
            return
        original_route(target_arn, func_name, *args)

    eventbridge._invoke_target, lambda_svc._route_async_failure = invoke, route


def _check_function_roles(questions: Questions) -> None:
    """Give a function its role's credentials only when the role lets Lambda in."""
    from ministack import app
    from ministack.core import lambda_runtime

    original = lambda_runtime.execution_credentials

    def execution_credentials(config: dict[str, Any]) -> dict[str, str]:
        if app.AUTH:
            _check_trust("lambda.amazonaws.com", config["Role"], questions)
        return original(config)  # type: ignore[no-any-return]

    lambda_runtime.execution_credentials = execution_credentials


def _may_deliver(target: Mapping[str, Any], rule: Mapping[str, Any], questions: Questions) -> bool:
    from ministack.core import iam_evaluator
    from ministack.services import lambda_svc, sqs

    arn, events = target["Arn"], "events.amazonaws.com"
    service = arn.split(":")[2]
    if service == "states":
        try:
            _check_trust(events, target.get("RoleArn", ":::::"), questions)
        except CannotAssume:
            return False
        return role_may(target["RoleArn"], "states:StartExecution", arn, questions)
    lookups = {
        "lambda": ("lambda:InvokeFunction", lambda_svc.function_policy_for_arn),
        "sqs": ("sqs:SendMessage", sqs.queue_policy_for_arn),
    }
    if service not in lookups:
        return True
    action, policy_of = lookups[service]
    rule_arn = rule.get("Arn", "")
    keys = {"aws:sourcearn": rule_arn, "aws:sourceaccount": rule_arn.split(":")[4] if rule_arn else ""}
    context = _service_context(action, arn, keys)
    policy, _ = policy_of(arn) or (None, "")
    decision = iam_evaluator.evaluate_resource_policy(policy, context, events)
    questions.add(_service_question(events, context, "resource", decision))
    return bool(decision.decision == "Allow")


def role_may(role_arn: str, action: str, resource: str, questions: Questions) -> bool:
    """Whether the role's own policies allow it, for what a service does as the role without a request."""
    from ministack.core import iam_evaluator

    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/service",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region="us-east-1",
    )
    result = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(name, account))
    allowed = bool(result.decision == "Allow")
    questions.add(Question(context.principal_arn, action, resource, allowed))
    return allowed


def install_version_ids() -> None:
    """Tell EventBridge the version of an object that was put, as S3 does for a bucket with versioning."""
    from ministack.services import eventbridge, s3

    original_fire, original_dispatch = s3._fire_s3_event, eventbridge._dispatch_event
    # ministack knows the version where it fires an event, in a thread of its own, but does not pass it on.
    firing = threading.local()

    def fire(*args: Any, version_id: str | None = None, **kwargs: Any) -> None:
        firing.version_id = version_id
        original_fire(*args, version_id=version_id, **kwargs)

    def dispatch(event: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if event["Source"] == "aws.s3" and getattr(firing, "version_id", None):
            detail = json.loads(event["Detail"])
            detail["object"].setdefault("version-id", firing.version_id)
            event = {**event, "Detail": json.dumps(detail)}
        return original_dispatch(event, *args, **kwargs)

    s3._fire_s3_event, eventbridge._dispatch_event = fire, dispatch


def install_error_types() -> None:
    """Name a function's error by its exception's class, as Lambda does; state machines match that name."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    named = '"error_type": type(e).__name__, ' + _TELLS_ERROR
    lambda_runtime._PYTHON_WORKER_SCRIPT = lambda_runtime._PYTHON_WORKER_SCRIPT.replace(_TELLS_ERROR, named)
    original_invoke, original_execute = lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm
    last = threading.local()

    def invoke(worker: Any, *args: Any, **kwargs: Any) -> Any:
        answer = original_invoke(worker, *args, **kwargs)
        last.error = (answer["error_type"], answer["trace"]) if "error_type" in answer else None
        return answer

    def execute(*args: Any, **kwargs: Any) -> Any:
        last.error = None
        answer = original_execute(*args, **kwargs)
        if answer.get("error") and last.error:
            error_type, trace = last.error
            answer["body"] |= {"errorType": error_type, "stackTrace": trace.splitlines(keepends=True)[1:-1]}
        return answer

    lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm = invoke, execute


def install_mailbox(mailbox: Mailbox) -> None:
    """Let the e-mail subscribers of every topic find their mail in `mailbox`, the confirmation first."""
    from ministack.services import sns

    original_fanout, original_subscribe = sns._fanout, sns._subscribe

    def fanout(topic_arn: str, msg_id: str, message: str, subject: str, *args: Any, **kwargs: Any) -> None:
        original_fanout(topic_arn, msg_id, message, subject, *args, **kwargs)
        topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
        for subscription in topic["subscriptions"]:
            if subscription["protocol"] == "email" and subscription["confirmed"]:
                mailbox.deliver(
                    to=subscription["endpoint"], topic_arn=topic_arn, subject=subject, text=message
                )

    def subscribe(params: Any) -> Any:
        answer = original_subscribe(params)
        if _parameter(params, "Protocol") == "email" and answer[0] == 200:
            topic_arn, endpoint = _parameter(params, "TopicArn"), _parameter(params, "Endpoint")
            mailbox.deliver(
                to=endpoint,
                topic_arn=topic_arn,
                subject="AWS Notification - Subscription Confirmation",
                text=f"You have chosen to subscribe to the topic:\n{topic_arn}\n\n"
                "On AWS this mail carries a link that must be opened before anything else is sent.\n"
                "Here the subscription has confirmed itself.\n",
            )
        return answer

    sns._fanout, sns._subscribe = fanout, subscribe


def _parameter(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def executions() -> list[dict[str, Any]]:
    """Every execution, newest first: name, status, started_at, stopped_at, file, outcome, error."""
    from ministack.services import stepfunctions

    found = sorted(
        stepfunctions._executions.values(), key=lambda record: str(record["startDate"]), reverse=True
    )
    return [_described(record) for record in found]


def _described(record: Mapping[str, Any]) -> dict[str, Any]:
    event = json.loads(record["input"] or "{}")
    output = json.loads(record["output"] or "{}") if record["status"] == "SUCCEEDED" else {}
    return {
        "name": record["name"],
        "status": record["status"],
        "started_at": record["startDate"],
        "stopped_at": record["stopDate"],
        "file": event.get("detail", {}).get("object", {}).get("key", ""),
        "outcome": output.get("outcome"),
        "error": record.get("error"),
    }


def install_machine(integrations: Integrations) -> None:
    """Run executions by `local.embedded.machine`, their tasks by `integrations`; add RedriveExecution."""
    from ministack.services import stepfunctions

    original_run, original_handle = stepfunctions._run_execution, stepfunctions.handle_request

    def run(exec_arn: str) -> None:
        record = stepfunctions._executions[exec_arn]
        definition = _definition(record)
        if not can_walk(definition):
            original_run(exec_arn)
            return
        journey = MinistackExecution(record, definition)
        limit = threading.Timer(definition.get("TimeoutSeconds", threading.TIMEOUT_MAX), journey.time_out)
        limit.daemon = True
        limit.start()
        try:
            walk(definition, journey, integrations)
        finally:
            limit.cancel()

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Any
    ) -> Any:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action == "RedriveExecution":
            return _redrive(json.loads(body)["executionArn"])
        if action.startswith("SendTask"):
            record = _records_of_tokens.get(_json_object(body).get("taskToken"), {})
            if record.get("status", "RUNNING") != "RUNNING":
                return _error("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        answer = await original_handle(method, path, headers, body, query_params)
        return _with_redrives(answer) if action in {"DescribeExecution", "ListExecutions"} else answer

    stepfunctions._run_execution, stepfunctions.handle_request = run, handle
    stepfunctions._emit_execution_status_event = _tell_status


def _with_redrives(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, dict[str, str], bytes]:
    """An answer about executions, with the redrives that ministack does not know of."""
    from ministack.services import stepfunctions

    status, headers, body = answer
    found = _json_object(body)
    for execution in [found, *found.get("executions", [])]:
        if record := stepfunctions._executions.get(execution.get("executionArn")):
            execution["redriveCount"] = record.get("redriveCount", 0)
    return status, headers, json.dumps(found).encode()


def _definition(record: dict[str, Any]) -> dict[str, Any]:
    """The definition that the execution started with: a redrive uses it too, whatever was deployed since."""
    from ministack.services import stepfunctions

    if "definition" not in record:
        record["definition"] = stepfunctions._state_machines[record["stateMachineArn"]]["definition"]
    definition: dict[str, Any] = json.loads(record["definition"])
    return definition


def _redrive(execution_arn: str) -> tuple[int, dict[str, str], bytes]:
    from ministack.services import stepfunctions

    record = stepfunctions._executions.get(execution_arn)
    if record is None:
        return _error("ExecutionDoesNotExist", f"Execution does not exist: '{execution_arn}'")
    if record["status"] not in {"FAILED", "ABORTED", "TIMED_OUT"} or "position" not in record:
        return _error("ExecutionNotRedrivable", f"Execution is {record['status']} and cannot be redriven")
    count = record.get("redriveCount", 0) + 1
    moment = stepfunctions.now_iso()
    ended = dict.fromkeys(("stopDate", "output", "error", "cause"))
    record.update(ended, status="RUNNING", redriveCount=count, redriveDate=moment)
    stepfunctions._add_event(
        record, "ExecutionRedriven", {"executionRedrivenEventDetails": {"redriveCount": count}}
    )
    _tell_status(record)
    threading.Thread(target=stepfunctions._run_execution, args=(execution_arn,), daemon=True).start()
    body = json.dumps({"redriveDate": stepfunctions._iso_to_epoch_ms(moment) / 1000}).encode()
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, body


def _error(code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"__type": code, "message": message}).encode()
    return 400, {"Content-Type": "application/x-amz-json-1.0"}, body


def _tell_status(execution: Mapping[str, Any]) -> None:
    """Step Functions' event "Execution Status Change", with redrives and every status."""
    from ministack.services import eventbridge, stepfunctions

    failed = execution["status"] in {"FAILED", "ABORTED", "TIMED_OUT"}
    detail = {
        "executionArn": execution["executionArn"],
        "stateMachineArn": execution["stateMachineArn"],
        "name": execution["name"],
        "status": execution["status"],
        "startDate": stepfunctions._iso_to_epoch_ms(execution["startDate"]),
        "stopDate": stepfunctions._iso_to_epoch_ms(execution["stopDate"]),
        "input": execution["input"],
        "output": execution["output"] if execution["status"] == "SUCCEEDED" else None,
        "inputDetails": {"included": True},
        "outputDetails": {"included": True} if execution["status"] == "SUCCEEDED" else None,
        "error": execution.get("error"),
        "cause": execution.get("cause"),
        "redriveCount": execution.get("redriveCount", 0),
        "redriveDate": stepfunctions._iso_to_epoch_ms(execution.get("redriveDate")),
        "redriveStatus": "REDRIVABLE" if failed else "NOT_REDRIVABLE",
    }
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(detail),
        "Resources": [execution["executionArn"]],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def run_execution(definition: str, name: str, state_input: str, role_arn: str) -> Mapping[str, Any]:
    """Run a definition to its end in this thread, and return ministack's record of the execution.

    Without a server: what the tasks do is up to the integrations that were installed. The same name again,
    after a failure, redrives.
    """
    from ministack.services import stepfunctions

    machine_arn = "arn:aws:states:us-east-1:000000000000:stateMachine:pipeline"
    arn = f"arn:aws:states:us-east-1:000000000000:execution:pipeline:{name}"
    stepfunctions._state_machines[machine_arn] = {
        "name": "pipeline",
        "definition": definition,
        "roleArn": role_arn,
    }
    stepfunctions._executions[arn] = {
        "executionArn": arn,
        "stateMachineArn": machine_arn,
        "name": name,
        "status": "RUNNING",
        "startDate": "2026-11-20T12:00:00.000Z",
        "stopDate": None,
        "input": state_input,
        "output": None,
        "events": [],
    }
    return redrive_execution(arn, count=0)


def redrive_execution(execution_arn: str, count: int = 1) -> Mapping[str, Any]:
    """Take an execution of `run_execution` up again where it ended, in this thread."""
    from ministack.services import stepfunctions

    record: dict[str, Any] = stepfunctions._executions[execution_arn]
    record.update(status="RUNNING", error=None, cause=None, redriveCount=count)
    stepfunctions._run_execution(execution_arn)
    return record


class MinistackExecution:
    """ministack's record of an execution: the journey through its states, and what tasks need of it.

    The record keeps the position, so that a redrive can go on from it: the state, its input, the variables.
    """

    def __init__(self, record: dict[str, Any], definition: Mapping[str, Any]) -> None:
        from ministack.services import stepfunctions

        self._states = stepfunctions
        self._record = record
        # Whoever walked before a redrive must not walk on because the execution runs again.
        self._redrive = record.get("redriveCount", 0)
        machine = stepfunctions._state_machines[record["stateMachineArn"]]
        self.role_arn = str(machine["roleArn"])
        start = {"name": definition["StartAt"], "input": json.loads(record["input"]), "variables": {}}
        self._position: dict[str, Any] = record.setdefault("position", start)
        self.context: dict[str, Any] = {
            "QueryLanguage": "JSONata",
            "Execution": {
                "Id": record["executionArn"],
                "Input": json.loads(record["input"]),
                "Name": record["name"],
                "RoleArn": self.role_arn,
                "StartTime": record["startDate"],
                "RedriveCount": record.get("redriveCount", 0),
            },
            "StateMachine": {"Id": record["stateMachineArn"], "Name": machine["name"]},
            "variables": self._position["variables"],
        }

    def position(self) -> tuple[str | None, Any]:
        return self._position["name"], self._position["input"]

    def enter(self, name: str, state: Mapping[str, Any], state_input: Any) -> Execution:
        self.context["State"] = {"Name": name, "EnteredTime": self._states.now_iso(), "RetryCount": 0}
        details = {"name": name, "input": json.dumps(state_input)}
        self.record(f"{state['Type']}StateEntered", {"stateEnteredEventDetails": details})
        return self

    def leave(self, name: str, state: Mapping[str, Any], output: Any, following: str | None) -> None:
        details = {"name": name, "output": json.dumps(output)}
        self.record(f"{state['Type']}StateExited", {"stateExitedEventDetails": details})
        self._position.update(name=following, input=output)

    def succeed(self, output: Any) -> None:
        self._record["output"] = json.dumps(output)
        self._end("SUCCEEDED", "ExecutionSucceeded", {"output": self._record["output"]})

    def fail(self, failure: TaskError) -> None:
        self._record.update(error=failure.error, cause=failure.cause)
        self._end("FAILED", "ExecutionFailed", {"error": failure.error, "cause": failure.cause})

    def time_out(self) -> None:
        """The machine's own TimeoutSeconds are over."""
        if self.is_running():
            self._end("TIMED_OUT", "ExecutionTimedOut", {})

    def _end(self, status: str, event: str, details: Mapping[str, Any]) -> None:
        self._record.update(status=status, stopDate=self._states.now_iso())
        self.record(event, {f"{event[0].lower()}{event[1:]}EventDetails": dict(details)})
        _tell_status(self._record)

    def evaluate(self, template: Any, *, result: Any = None, error: Any = None) -> Any:
        with _as_task_error():
            return self._states._apply_jsonata_template(
                template, self._position["input"], self.context, result, error
            )

    def assign(self, holder: Mapping[str, Any], *, result: Any = None, error: Any = None) -> None:
        with _as_task_error():
            self._states._apply_state_assign(holder, self._position["input"], self.context, result, error)

    def record(self, event: str, details: Mapping[str, Any]) -> None:
        self._states._add_event(self._record, event, dict(details))

    def open_callback(self) -> Callback:
        return _TokenCallback(self._states._task_tokens, self._record)

    def is_running(self) -> bool:
        return bool(
            self._record["status"] == "RUNNING" and self._record.get("redriveCount", 0) == self._redrive
        )

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds * float(os.environ.get("SFN_WAIT_SCALE", "1")))


# Of every token that was ever given out, the execution that it belongs to.
_records_of_tokens: dict[Any, Mapping[str, Any]] = {}


class _TokenCallback:
    """A token in ministack's registry, where SendTaskSuccess and SendTaskFailure find it."""

    def __init__(self, registry: dict[str, Any], record: Mapping[str, Any]) -> None:
        self.token = new_token()
        self._registry = registry
        self._entry: dict[str, Any] = {
            "event": threading.Event(),
            "result": None,
            "error": None,
            "heartbeat": None,
        }
        registry[self.token] = self._entry
        _records_of_tokens[self.token] = record

    def wait(self, seconds: float) -> Any:
        if not self._entry["event"].wait(seconds):
            raise TimeoutError
        if self._entry["error"]:
            raise TaskError(self._entry["error"]["Error"], self._entry["error"]["Cause"])
        return json.loads(self._entry["result"])

    def close(self) -> None:
        self._registry.pop(self.token, None)


@contextmanager
def _as_task_error() -> Iterator[None]:
    """Turn ministack's own execution error (a JSONata failure) into a TaskError."""
    from ministack.services import stepfunctions

    try:
        yield
    except stepfunctions._ExecutionError as failure:
        raise TaskError(failure.error, failure.cause) from failure

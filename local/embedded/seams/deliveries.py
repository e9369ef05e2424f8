"""What passes between services: versions in S3's events, events for functions, the names of errors, mails."""

import json
import logging
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from local.embedded.alarms import mail_text
from local.embedded.mailbox import Mailbox
from local.embedded.seams.names import ERROR_REPORT

logger = logging.getLogger(__name__)


def install_version_ids() -> None:
    """Pass the version of a new object to EventBridge, as S3 does for a bucket with versioning."""
    from ministack.services import eventbridge, s3

    original_fire, original_dispatch = s3._fire_s3_event, eventbridge._dispatch_event
    # ministack knows the version when it fires an event, in a separate thread, but does not pass it on.
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


def install_execution_names() -> None:
    """Name executions as EventBridge does: too long for the name of a job, with an underscore."""
    from ministack.services import eventbridge, stepfunctions

    def dispatch(arn: str, payload: str) -> None:
        if stepfunctions._resolve_state_machine_arn(arn) is not None:
            name = f"{uuid.uuid4()}_{uuid.uuid4()}"
            stepfunctions._start_execution({"stateMachineArn": arn, "input": payload, "name": name})

    eventbridge._dispatch_to_stepfunctions = dispatch


def install_asynchronous_events() -> None:
    """Let EventBridge invoke functions asynchronously: Lambda retries, and keeps what a function fails on.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    """
    from ministack.services import eventbridge, lambda_svc

    def dispatch(arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            logger.error("EventBridge cannot invoke %s: it does not exist", name)
            return
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch


def install_error_types() -> None:
    """Name a function's error by its exception's class, as Lambda does; state machines match that name.

    Its process goes on: Lambda starts another one only after a crash or a timeout.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    # ministack ends a process that answers with the status "error".
    named = '"status": "ok", "error_type": type(e).__name__, "error": str(e), "trace": '
    lambda_runtime._PYTHON_WORKER_SCRIPT = lambda_runtime._PYTHON_WORKER_SCRIPT.replace(ERROR_REPORT, named)
    original_invoke, original_execute = lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm
    last = threading.local()

    def invoke(worker: Any, *args: Any, **kwargs: Any) -> Any:
        answer = original_invoke(worker, *args, **kwargs)
        last.error = (answer["error_type"], answer["trace"]) if "error_type" in answer else None
        return answer | {"status": "error"} if last.error else answer

    def execute(*args: Any, **kwargs: Any) -> Any:
        last.error = None
        answer = original_execute(*args, **kwargs)
        if answer.get("error") and last.error:
            error_type, trace = last.error
            answer["body"] |= {"errorType": error_type, "stackTrace": trace.splitlines(keepends=True)[1:-1]}
        return answer

    lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm = invoke, execute


def install_mailbox(mailbox: Mailbox) -> None:
    """Deliver the mail for the e-mail subscribers of every topic to `mailbox`, the confirmation first."""
    from ministack.services import sns

    original_fanout, original_subscribe = sns._fanout, sns._subscribe

    def fanout(topic_arn: str, msg_id: str, message: str, subject: str, *args: Any, **kwargs: Any) -> None:
        original_fanout(topic_arn, msg_id, message, subject, *args, **kwargs)
        text = mail_text(message)
        topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
        for subscription in topic["subscriptions"]:
            if subscription["protocol"] == "email" and subscription["confirmed"]:
                mailbox.deliver(to=subscription["endpoint"], topic_arn=topic_arn, subject=subject, text=text)

    def subscribe(params: Any) -> Any:
        answer = original_subscribe(params)
        if _parameter(params, "Protocol") == "email" and answer[0] == 200:
            topic_arn, endpoint = _parameter(params, "TopicArn"), _parameter(params, "Endpoint")
            mailbox.deliver(
                to=endpoint,
                topic_arn=topic_arn,
                subject="AWS Notification - Subscription Confirmation",
                text=f"You have chosen to subscribe to the topic:\n{topic_arn}\n\n"
                "On AWS, this mail has a link that must be opened before any other mail is sent.\n"
                "Here, the subscription is already confirmed.\n",
            )
        return answer

    sns._fanout, sns._subscribe = fanout, subscribe


def _parameter(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name, "")
    return str(value[0] if isinstance(value, list) else value)

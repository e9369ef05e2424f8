"""Assembles the embedded AWS and serves it."""

import asyncio
import itertools
import json
import logging
import re
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from local.embedded import seams
from local.embedded.access import keep_secret, new_secret, pages
from local.embedded.asgi import Application, answer, answer_text
from local.embedded.authentication import with_signatures
from local.embedded.autoscaling_api import TARGET_PREFIX, autoscaling_handler
from local.embedded.budgets import TYPE as BUDGET
from local.embedded.budgets import budget_handlers
from local.embedded.cloudformation import model_package_group_handlers
from local.embedded.doors import with_doors
from local.embedded.faults import with_faults
from local.embedded.iam import Questions, also_needed, sagemaker_resource
from local.embedded.integrations import AwsIntegrations
from local.embedded.large_requests import with_large_requests
from local.embedded.mailbox import Mailbox
from local.embedded.own_calls import OwnCalls
from local.embedded.pages.site import HEADERS, page
from local.embedded.sagemaker_api import Permissions, sagemaker_handler
from local.embedded.sagemaker_runtime import Runtime, with_runtime
from local.embedded.traces import answer_xray
from local.sagemaker import SageMaker

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"
SHUTDOWN_SECONDS = 1.5
# CloudWatch evaluates most alarms once a minute, and SQS reports that often.
ALARM_SECONDS = 10.0
TICKS_A_MINUTE = 6

logger = logging.getLogger(__name__)

Page = Callable[[list[dict[str, Any]]], str]


@dataclass(frozen=True)
class EmbeddedAws:
    """The parts that live in one process."""

    application: Application
    sagemaker: SageMaker
    mailbox: Mailbox
    own_calls: OwnCalls


def build(
    port: int,
    folder: Path,
    *,
    cache: Path | None = None,
    quotas: Mapping[str, int] | None = None,
    enforce_iam: bool = True,
) -> EmbeddedAws:
    """Wire everything up, without listening yet. Only once per process: ministack's state is global."""
    secret = new_secret()
    keep_secret(folder, secret)
    seams.configure(port, folder, secret, enforce_iam=enforce_iam)
    seams.skip_unused()
    if problems := seams.check():
        raise RuntimeError("\n".join(problems))
    endpoint_url = f"http://127.0.0.1:{port}"
    mailbox = Mailbox(port)
    own_calls = OwnCalls()
    limits = dict(quotas or {})
    seams.install_models()
    seams.install_transforms((cache or folder) / "transformed")
    questions = Questions()
    seams.install_iam(questions, sagemaker_resource)
    seams.install_encryption()
    seams.install_keys(questions)
    seams.install_missing()
    seams.install_handovers(questions)
    seams.install_schedules(questions)
    as_sagemaker = seams.role_credentials("sagemaker.amazonaws.com", questions)
    sagemaker = SageMaker(
        account_id=ACCOUNT_ID,
        region=REGION,
        endpoint_url=endpoint_url,
        folder=folder / "sagemaker",
        credentials=as_sagemaker,
        publish=seams.publish_events,
        publish_metrics=seams.publish_metrics,
        quotas=limits,
        wait_scale=seams.wait_scale(),
        join=own_calls.join,
    )
    resource = partial(sagemaker_resource, region=REGION, account=ACCOUNT_ID)
    permissions = Permissions(
        resource=resource,
        also_needed=partial(also_needed, region=REGION, account=ACCOUNT_ID),
        refusal=seams.refusal,
        assume=as_sagemaker,
        may_grant=seams.role_may_grant(questions),
        exists=seams.object_exists,
        is_scaled=sagemaker.autoscaling.has_targets,
    )
    seams.install_service("sagemaker", "SageMaker.", sagemaker_handler(sagemaker, permissions))
    runtime = Runtime(sagemaker, resource, seams.refusal)
    scaling = autoscaling_handler(sagemaker.autoscaling, seams.refusal, REGION, ACCOUNT_ID)
    seams.install_service("application-autoscaling", TARGET_PREFIX, scaling)
    seams.install_resource_type("AWS::SageMaker::ModelPackageGroup", model_package_group_handlers(sagemaker))
    budgets = budget_handlers(seams.call_budgets, ACCOUNT_ID, seams.budget_may_publish(questions))
    seams.install_resource_type(BUDGET, budgets)
    _mend(folder)
    seams.install_service("xray", "AWSXRay.", answer_xray)
    seams.install_error_types()
    seams.install_mailbox(mailbox)
    as_states = seams.role_credentials("states.amazonaws.com", questions)
    integrations = AwsIntegrations(
        endpoint_url, REGION, as_states, sagemaker, seams.offer_task, own_calls.join
    )
    seams.install_machine(integrations)
    seams.install_branches(integrations, questions)
    seams.install_definition_checks()
    seams.install_state_tests(integrations)
    application = with_faults(
        with_pages(with_runtime(seams.application(), runtime), mailbox, questions, sagemaker.notes),
        limits,
        sagemaker.reclaim,
        lambda job, host, children: sagemaker.kill(job, host, children=children),
    )
    if enforce_iam:
        application = with_signatures(application, seams.secret_of, seams.is_public, seams.unauthenticated)
    application = with_large_requests(application, seams.unauthenticated)
    return EmbeddedAws(with_doors(port, pages(secret), application), sagemaker, mailbox, own_calls)


def _mend(folder: Path) -> None:
    """Make ministack as strict as AWS where that needs nothing but ministack. The order matters."""
    seams.install_function_urls()
    seams.install_warm_functions(folder / "functions")
    seams.install_function_logs()
    seams.install_custom_resources()
    seams.install_version_ids()
    seams.install_execution_names()
    seams.install_asynchronous_events()
    seams.install_objects(folder / "objects")
    seams.install_copies()
    seams.install_multipart(folder / "objects")
    seams.install_cors()
    seams.install_leading_keys()
    seams.install_log_filters()
    seams.install_alarms()
    seams.install_metrics()
    seams.install_stack_rules()
    seams.install_function_versions()
    seams.install_function_permissions()
    seams.install_nested_stacks()


def with_pages(
    aws: Application, mailbox: Mailbox, questions: Questions, notes: Callable[[], list[str]]
) -> Application:
    """`aws`, and the pages under /_mpg/ for people and for the command line."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/_mpg/"):
            await _answer(scope, mailbox, questions, notes, send)
        else:
            await aws(scope, receive, send)

    return application


async def _answer(
    scope: Any, mailbox: Mailbox, questions: Questions, notes: Callable[[], list[str]], send: Any
) -> None:
    path = scope["path"]
    if path == "/_mpg/mails":
        # A client that waits for mails asks only for new ones, and is answered when there are any.
        asked = re.fullmatch(rb"after=(\d{1,9})(?:&wait=(\d))?", scope["query_string"])
        known, seconds = map(int, asked.groups(b"0")) if asked else (0, 0)
        mails = await mailbox.new_mails(known, seconds)
        await answer_text(send, 200, "application/json", json.dumps(mails))
    elif path == "/_mpg/notes":
        await answer_text(send, 200, "application/json", json.dumps(notes()))
    elif path == "/_mpg/permissions":
        await answer_text(send, 200, "application/json", json.dumps(questions.as_json()))
    elif path == "/_mpg/functions":
        await answer_text(send, 200, "application/json", json.dumps({"running": seams.functions_running()}))
    elif found := await asyncio.to_thread(
        page, path.removeprefix("/_mpg/"), scope["query_string"].decode("latin-1"), mailbox.mails()
    ):
        content_type, text = found
        await answer(send, 200, {"content-type": content_type, **HEADERS}, text.encode())
    else:
        await answer_text(send, 404, "text/plain", "There is no such page.\n")


async def serve(aws: EmbeddedAws, port: int, ready: Callable[[], None]) -> None:
    """Listen on 127.0.0.1 until SIGTERM or SIGINT. Calls `ready` once it accepts requests.

    Raises OSError if the port is in use.
    """
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    # Bound here, so that a port in use is noticed before anything says "ready".
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.5
    config.shutdown_timeout = 1.0
    config.accesslog = None
    config.loglevel = "WARNING"
    serving = asyncio.create_task(hypercorn_serve(aws.application, config, shutdown_trigger=stop.wait))
    watching = asyncio.create_task(_watch())
    aws.own_calls.serve(aws.application)
    aws.sagemaker.start()
    ready()
    await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    watching.cancel()
    aws.own_calls.close()
    # A request in progress, such as a page whose function is running, does not delay the end.
    await asyncio.wait({serving}, timeout=SHUTDOWN_SECONDS)
    if serving.done():
        serving.result()


async def _watch() -> None:
    """Evaluate the alarms as time passes: data comes at any moment, and also stays away."""
    queues = seams.Queues()
    for tick in itertools.count():
        await asyncio.sleep(ALARM_SECONDS)
        if tick % TICKS_A_MINUTE == 0:
            await asyncio.to_thread(queues.measure)
        await asyncio.to_thread(seams.evaluate_alarms)

"""Ask people to decide about a model: store a record in the table, then mail a link.

The event has a task token; the execution waits until `resume_pipeline` answers. The function uses only the
execution and the token from the event, and the execution's history must show that it waits for this request
now (`runs/scheduled.py`). Permission to invoke the function therefore does not suffice to send a mail,
replace a token or reopen a request. `approval/asking.py` does the rest.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from approval.asking import ask, check_subscribers, new_request
from approval.packages import evaluation_digest
from approval.records import new_link_id
from costs.run_costs import READ_SECONDS, if_readable
from model.kept import read_registered
from runs.scheduled import scheduled_request
from shared.aws import prepare
from shared.telemetry import Answer, Event, observed

prepare("stepfunctions", "sns", "sagemaker", "s3")
prepare("sagemaker", read_timeout=READ_SECONDS)


@observed
def handler(event: Event) -> Answer:
    request = scheduled_request(event, "task_token")
    topic = os.environ["APPROVAL_TOPIC_ARN"]
    with ThreadPoolExecutor(1) as meanwhile:
        cost = meanwhile.submit(if_readable, str(request["run_id"]))
        check_subscribers(topic)
        evaluation = read_registered(request["run_id"], evaluation_digest(request["model_package_arn"]))
    link_id = new_link_id()
    timeout = int(os.environ["APPROVAL_TIMEOUT_SECONDS"])
    approval = new_request(request, evaluation, link_id, timeout, cost.result())
    return {"asked": ask(approval, link_id, topic)}

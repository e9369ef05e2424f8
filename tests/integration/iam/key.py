"""A key of your own: its policy as in docs/aws.md, and the services that use it through that policy alone."""

import json
import re
from typing import Any

from tests.conftest import REGION, ROOT, eventually
from tests.faults.pipeline import Pipeline

ACCOUNT = "000000000000"
ON_CALL = "on-call@example.com"

Statements = list[dict[str, Any]]


def documented_policy() -> Statements:
    """The statements of the section's JSON, with placeholders filled in."""
    text = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    section = text.partition("\n## A key of your own")[2].partition("\n## ")[0]
    found = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert found
    policy = json.loads(found[1].replace("ACCOUNT", ACCOUNT).replace("REGION", REGION))
    statements: Statements = policy["Statement"]
    return statements


def make_key(kms: Any, statements: Statements | None = None) -> str:
    """The ARN of a new key with the documented policy, or with one of these statements."""
    policy = {"Version": "2012-10-17", "Statement": statements or documented_policy()}
    return str(kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"])


def sound_alarm(pipeline: Pipeline) -> None:
    """Let CloudWatch publish to the topic of alarms."""
    cloudwatch, name = pipeline.client("cloudwatch"), pipeline.stack["RunsFailAlarm"]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="before the test")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="sounded by the test")


def deliver_into_the_queue(pipeline: Pipeline, content: bytes) -> str:
    """Let EventBridge put the event of an upload into the dead letters, with every permission in place."""
    events, rule = pipeline.client("events"), pipeline.stack["UploadRule"].rpartition("/")[2]
    queue = pipeline.client("sqs").get_queue_attributes(
        QueueUrl=pipeline.stack["UploadDeadLetters"], AttributeNames=["QueueArn"]
    )
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": queue["Attributes"]["QueueArn"]}])
    try:
        run = pipeline.upload(content=content)
        (letter,) = eventually(lambda: pipeline.messages("UploadDeadLetters"))
        assert run.key in letter
        assert run.is_over()
        return str(letter)
    finally:
        events.remove_targets(Rule=rule, Ids=["queue"])

"""What the functions need of the embedded AWS, and their environment."""

import io
import json
import uuid
import zipfile
from typing import Any

from tests.conftest import ROOT, Aws

Json = dict[str, Any]
ROLE = "arn:aws:iam::000000000000:role/test"
# Keeps the token of an execution that waits for it, and runs until the item is gone.
KEEPER = """
import boto3, time

def handler(event, context):
    table = boto3.resource("dynamodb").Table(event["table"])
    key = {"pk": "waiting#" + event["execution_arn"]}
    table.put_item(Item={**key, "token": event["task_token"]})
    while "Item" in table.get_item(Key=key):
        time.sleep(0.05)
"""


def make_resources(aws: Aws) -> Json:
    name = f"events-{uuid.uuid4().hex[:12]}"
    s3, sns = aws.client("s3"), aws.client("sns")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=name)
    for settings in (ROOT / "processing").glob("*/workload.json"):
        group = f"{name}-p--{settings.parent.name.replace('_', '-')}"
        aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    topics = tuple(str(sns.create_topic(Name=f"{name}-{kind}")["TopicArn"]) for kind in ("ask", "tell"))
    for topic in topics:
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="someone@example.com")
    return {
        "bucket": name,
        "table": name,
        "group": name,
        "topics": topics,
        "machine": _machine(aws, name),
        "releases": _machine(aws, f"{name}-release"),
        "looks": _machine(aws, f"{name}-monitor"),
    }


def _machine(aws: Aws, name: str) -> str:
    """A state machine that only waits for a task token's result."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("keeper.py", KEEPER)
    keeper = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=ROLE,
        Handler="keeper.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
    )
    fields = "'task_token': $states.context.Task.Token, 'execution_arn': $states.context.Execution.Id"
    payload = f"{{% $merge([$states.input, {{'table': '{name}', {fields}}}]) %}}"
    wait = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": keeper["FunctionArn"], "Payload": payload},
        "TimeoutSeconds": 120,
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Wait", "States": {"Wait": wait}}
    made = aws.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=ROLE
    )
    return str(made["stateMachineArn"])


def environment_of(made: Json) -> dict[str, str]:
    ask_topic, tell_topic = made["topics"]
    return {
        "BUCKET_NAME": made["bucket"],
        "TABLE_NAME": made["table"],
        "APPROVAL_TOPIC_ARN": ask_topic,
        "NOTIFICATION_TOPIC_ARN": tell_topic,
        "REVIEW_URL": "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/",
        "APPROVAL_TIMEOUT_SECONDS": "600",
        "MAX_CHECKED_BYTES": "1000000",
        "KMS_KEY_ARN": "",
        "REMINDER_HOURS": "24",
        "MODEL_PACKAGE_GROUP_PREFIX": f"{made['group']}-p-",
        "CODE_PREFIX": "code/0123/",
        "REQUESTS_PER_MINUTE": "120",
        "LINK_DAYS": "7",
        "CATALOGUE_URL": "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/",
        "STATE_MACHINE_ARN": made["machine"],
        "DEFAULT_WORKLOAD": "auto_mpg",
        "RETRAIN_ON": "newest",
        "RETRAIN_ON_DRIFT": "false",
        "RETRAIN_AT_MOST_EVERY_DAYS": "1",
        "RETRAINS_ON_DRIFT": "",
        "RELEASE_MACHINE_ARN": made["releases"],
        "MONITOR_MACHINE_ARN": made["looks"],
        "REUSE": "true",
        "EXPIRE_RUNS_AFTER_DAYS": "90",
        "ENDPOINT_TYPE": "serverless",
        "POWERTOOLS_SERVICE_NAME": "mpg-pipeline",
        "POWERTOOLS_METRICS_NAMESPACE": "MpgPipeline",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }

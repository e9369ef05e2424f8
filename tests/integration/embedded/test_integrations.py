"""Every integration works the same in both query languages, alone and in branches, under the machine's role."""

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Aws, eventually
from tests.integration.embedded.test_step_functions import ROLE, ending

LANGUAGES = ["JSONata", "JSONPath"]
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
CODE = """
import boto3, random

def echo(event, context):
    return event

def make_cars(event, context):
    numbers = random.Random(1)
    rows = [(x, y, int(y >= 3 * x + 5)) for x, y in ((numbers.randrange(100), numbers.randrange(100)) for _ in range(300))]
    storage = boto3.client("s3")
    train = "".join(f"{label},{x},{y}\\n" for x, y, label in rows)
    storage.put_object(Bucket=event["bucket"], Key="csv/train.csv", Body=train)
    storage.put_object(Bucket=event["bucket"], Key="csv/test.csv", Body="".join(f"{x},{y}\\n" for x, y, _ in rows[:50]))
    return {"statusCode": 200}
"""


@pytest.fixture(scope="module")
def function(aws: Aws) -> Callable[[str], str]:
    """The ARN of a function of CODE by its name, newly created."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("code_under_test.py", CODE)

    def arn(name: str) -> str:
        made = aws.client("lambda").create_function(
            FunctionName=f"{name}-{uuid.uuid4().hex[:8]}",
            Runtime="python3.13",
            Role=ROLE,
            Handler=f"code_under_test.{name}",
            Code={"ZipFile": archive.getvalue()},
            Timeout=20,
        )
        return str(made["FunctionArn"])

    return arn


def machine(aws: Aws, states: dict[str, Any], language: str = "JSONata", role: str = ROLE) -> str:
    """The ARN of a machine that begins with the first of these states."""
    definition = {"QueryLanguage": language, "StartAt": next(iter(states)), "States": states}
    made = aws.client("stepfunctions").create_state_machine(
        name=f"m{uuid.uuid4().hex}", definition=json.dumps(definition), roleArn=role
    )
    return str(made["stateMachineArn"])


def run(aws: Aws, states: dict[str, Any], language: str = "JSONata", given: Any = None, **more: Any) -> Any:
    """Run a machine of these states; returns how it ended."""
    arn = machine(aws, states, language, more.pop("role", ROLE))
    started = aws.client("stepfunctions").start_execution(
        stateMachineArn=arn, input=json.dumps({} if given is None else given), **more
    )
    return ending(aws, started["executionArn"])


def task(resource: str, language: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A machine's only state."""
    field = "Arguments" if language == "JSONata" else "Parameters"
    return {"Only": {"Type": "Task", "Resource": resource, field: arguments, "End": True}}


def output(found: Any) -> Any:
    assert found["status"] == "SUCCEEDED", (found.get("error"), found.get("cause"))
    return json.loads(found["output"])


@pytest.fixture
def queue(aws: Aws) -> str:
    """A queue that everybody may send to."""
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
    made = aws.client("sqs").create_queue(QueueName=f"q{uuid.uuid4().hex}", Attributes={"Policy": policy})
    return str(made["QueueUrl"])


def message(aws: Aws, queue: str) -> str:
    return str(
        eventually(lambda: aws.client("sqs").receive_message(QueueUrl=queue).get("Messages"))[0]["Body"]
    )


def queue_arn(aws: Aws, queue: str) -> str:
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    return str(attributes["Attributes"]["QueueArn"])


@pytest.mark.parametrize("language", LANGUAGES)
class TestEachIntegration:
    def test_a_message_is_sent(self, aws: Aws, queue: str, language: str) -> None:
        sent = {"QueueUrl": queue, "MessageBody": {"text": "hello"}}
        assert output(run(aws, task("arn:aws:states:::sqs:sendMessage", language, sent), language))[
            "MessageId"
        ]
        assert json.loads(message(aws, queue)) == {"text": "hello"}

    def test_a_notification_is_published(self, aws: Aws, queue: str, language: str) -> None:
        topic = aws.client("sns").create_topic(Name=f"t{uuid.uuid4().hex}")["TopicArn"]
        aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn(aws, queue))
        published = {"TopicArn": topic, "Message": "hello"}
        output(run(aws, task("arn:aws:states:::sns:publish", language, published), language))
        assert json.loads(message(aws, queue))["Message"] == "hello"

    def test_an_event_is_put(self, aws: Aws, queue: str, language: str) -> None:
        events, name = aws.client("events"), f"r{uuid.uuid4().hex}"
        events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue_arn(aws, queue)}])
        entry = {"Source": name, "DetailType": "Said", "Detail": {"text": "hello"}}
        output(run(aws, task("arn:aws:states:::events:putEvents", language, {"Entries": [entry]}), language))
        assert json.loads(message(aws, queue))["detail"] == {"text": "hello"}

    def test_an_item_is_read(self, aws: Aws, language: str) -> None:
        table = f"t{uuid.uuid4().hex}"
        aws.client("dynamodb").create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        aws.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "one"}, "n": {"N": "1"}})
        wanted = {"TableName": table, "Key": {"pk": {"S": "one"}}}
        found = run(aws, task("arn:aws:states:::dynamodb:getItem", language, wanted), language)
        assert output(found)["Item"]["n"] == {"N": "1"}

    def test_a_function_that_is_the_resource_gets_and_gives_plain_json(
        self, aws: Aws, function: Callable[[str], str], language: str
    ) -> None:
        only = {"Only": {"Type": "Task", "Resource": function("echo"), "End": True}}
        assert output(run(aws, only, language, ["a", 1])) == ["a", 1]

    @pytest.mark.parametrize("pattern", ["", ".sync", ".sync:2"])
    def test_another_machine_is_started(self, aws: Aws, language: str, pattern: str) -> None:
        child = machine(aws, {"Pass": {"Type": "Pass", "End": True}})
        given = {"StateMachineArn": child, "Input": {"n": 1}}
        resource = f"arn:aws:states:::states:startExecution{pattern}"
        found = output(run(aws, task(resource, language, given), language))
        assert found["ExecutionArn"].startswith(child.replace("stateMachine", "execution"))
        assert found.get("Output") == {"": None, ".sync": '{"n": 1}', ".sync:2": {"n": 1}}[pattern]

    def test_another_machine_that_fails_fails_the_task(self, aws: Aws, language: str) -> None:
        child = machine(aws, {"No": {"Type": "Fail", "Error": "Broken", "Cause": "x"}})
        resource = "arn:aws:states:::states:startExecution.sync:2"
        found = run(aws, task(resource, language, {"StateMachineArn": child}), language)
        assert found["error"] == "States.TaskFailed"
        assert json.loads(found["cause"])["Error"] == "Broken"

    def test_any_service_of_the_sdk_is_called_by_the_names_of_step_functions(
        self, aws: Aws, language: str
    ) -> None:
        child = machine(aws, {"Pass": {"Type": "Pass", "End": True}})
        described = task(
            "arn:aws:states:::aws-sdk:sfn:describeStateMachine", language, {"StateMachineArn": child}
        )
        found = output(run(aws, described, language))
        assert (found["StateMachineArn"], found["Status"]) == (child, "ACTIVE")

    def test_an_activity_is_worked_on(self, aws: Aws, language: str) -> None:
        states = aws.client("stepfunctions")
        activity = states.create_activity(name=f"a{uuid.uuid4().hex}")["activityArn"]
        arn = machine(aws, task(activity, language, {"n": 1}), language)
        started = states.start_execution(stateMachineArn=arn)
        work = states.get_activity_task(activityArn=activity)
        assert json.loads(work["input"]) == {"n": 1}
        states.send_task_success(taskToken=work["taskToken"], output='"done"')
        assert output(ending(aws, started["executionArn"])) == "done"

    def test_each_branch_has_a_token_of_its_own(self, aws: Aws, queue: str, language: str) -> None:
        token = "{% $states.context.Task.Token %}" if language == "JSONata" else None
        sent: dict[str, Any] = {"QueueUrl": queue}
        sent |= {"MessageBody": token} if token else {"MessageBody.$": "$$.Task.Token"}
        resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
        branch = {"StartAt": "Only", "States": task(resource, language, sent)}
        both = {"Both": {"Type": "Parallel", "Branches": [branch, branch], "End": True}}
        started = aws.client("stepfunctions").start_execution(stateMachineArn=machine(aws, both, language))
        tokens = {message(aws, queue), message(aws, queue)}
        assert len(tokens) == 2
        for sent_token in tokens:
            aws.client("stepfunctions").send_task_success(taskToken=sent_token, output="1")
        assert output(ending(aws, started["executionArn"])) == [1, 1]


LIST_BUCKETS = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets", "End": True}
LIST_BY_PATHS = {**LIST_BUCKETS, "Parameters": {}}
LIST_BY_JSONATA = {**LIST_BUCKETS, "Arguments": {}}
BRANCH = {"StartAt": "List", "States": {"List": LIST_BY_PATHS}}
BRANCH_IN_JSONATA = {"StartAt": "List", "States": {"List": LIST_BY_JSONATA}}
EVERY_WAY = {
    "JSONata": ("JSONata", {"List": LIST_BY_JSONATA}),
    "JSONPath": ("JSONPath", {"List": LIST_BY_PATHS}),
    "a language of its own": ("JSONata", {"List": {**LIST_BY_PATHS, "QueryLanguage": "JSONPath"}}),
    "Map": (
        "JSONPath",
        {"Map": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": BRANCH, "End": True}},
    ),
    "Map in JSONata": (
        "JSONata",
        {"Map": {"Type": "Map", "Items": [1], "ItemProcessor": BRANCH_IN_JSONATA, "End": True}},
    ),
    "distributed Map": (
        "JSONPath",
        {
            "Map": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemProcessor": {**BRANCH, "ProcessorConfig": {"Mode": "DISTRIBUTED"}},
                "ToleratedFailureCount": 0,
                "End": True,
            }
        },
    ),
    "Parallel": ("JSONPath", {"Both": {"Type": "Parallel", "Branches": [BRANCH], "End": True}}),
}


@pytest.mark.parametrize("way", EVERY_WAY)
def test_no_task_may_do_what_its_role_may_not(aws: Aws, way: str) -> None:
    language, states = EVERY_WAY[way]
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName=f"r{uuid.uuid4().hex}", AssumeRolePolicyDocument=policy)
    refused = run(aws, states, language, {"items": [1]}, role=role["Role"]["Arn"])
    if way == "distributed Map":
        assert refused["error"] == "States.ExceedToleratedFailureThreshold"
    else:
        assert refused["error"] == "S3.S3Exception", refused["cause"]
        assert "s3:ListAllMyBuckets" in refused["cause"]
    assert run(aws, states, language, {"items": [1]})["status"] == "SUCCEEDED"


def test_a_parallel_state_of_jsonata_has_arguments_output_and_variables(aws: Aws) -> None:
    branch = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
    states = {
        "Both": {
            "Type": "Parallel",
            "Branches": [branch, branch],
            "Arguments": {"n": 2},
            "Output": "{% $states.result[0].n %}",
            "Assign": {"second": "{% $states.result[1].n + 1 %}"},
            "Next": "Sum",
        },
        "Sum": {"Type": "Pass", "Output": "{% $states.input + $second %}", "End": True},
    }
    assert output(run(aws, states)) == 5


def test_a_task_of_jsonpath_is_retried_caught_and_redriven(aws: Aws) -> None:
    bucket = f"b{uuid.uuid4().hex}"
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket": bucket, "Key.$": "$.key"},
        "ResultSelector": {"body.$": "$.Body"},
        "ResultPath": "$.read",
        "TimeoutSecondsPath": "$.limit",
        "Retry": [{"ErrorEquals": ["S3.S3Exception"], "MaxAttempts": 1, "IntervalSeconds": 1}],
        "End": True,
    }
    failed = run(aws, {"Read": read}, "JSONPath", {"key": "a", "limit": 30})
    states = aws.client("stepfunctions")
    events = states.get_execution_history(executionArn=failed["executionArn"])["events"]
    assert [event["type"] for event in events].count("TaskFailed") == 2
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key="a", Body=b"hello")
    states.redrive_execution(executionArn=failed["executionArn"])
    read_again = output(ending(aws, failed["executionArn"]))
    assert read_again == {"key": "a", "limit": 30, "read": {"body": "hello"}}
    caught = {**read, "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.no", "Next": "Caught"}]}
    found = run(aws, {"Read": caught, "Caught": {"Type": "Succeed"}}, "JSONPath", {"key": "b", "limit": 30})
    assert output(found)["no"]["Error"] == "S3.NoSuchKeyException"


@pytest.mark.parametrize(
    ("resource", "arguments", "words"),
    [
        ("arn:aws:states:::aws-sdk:s3:makeCoffee", {}, "arn:aws:states:::aws-sdk:s3:makeCoffee is not recognized"),
        ("arn:aws:states:::aws-sdk:coffee:make", {}, "not recognized"),
        ("arn:aws:states:::sagemaker:createModel.sync", {}, "not recognized"),
        ("arn:aws:states:::sns:subscribe", {}, "not recognized"),
        ("arn:aws:states:::aws-sdk:s3:getObject", {"Buckets": "b"}, 'The field "Buckets" is not supported'),
        ("arn:aws:states:::sqs:sendMessage", {"Body": "b"}, 'The field "Body" is not supported'),
    ],
)  # fmt: skip
def test_a_definition_with_unknown_resources_or_fields_is_refused(
    aws: Aws, resource: str, arguments: dict[str, Any], words: str
) -> None:
    states = aws.client("stepfunctions")
    with pytest.raises(states.exceptions.InvalidDefinition, match="SCHEMA_VALIDATION_FAILED") as refused:
        machine(aws, task(resource, "JSONata", arguments))
    assert words in str(refused.value)
    assert "at /States/Only/" in str(refused.value)
    good = machine(aws, {"Pass": {"Type": "Pass", "End": True}})
    definition = {"StartAt": "Only", "States": task(resource, "JSONPath", arguments)}
    with pytest.raises(states.exceptions.InvalidDefinition):
        states.update_state_machine(stateMachineArn=good, definition=json.dumps(definition))


@pytest.mark.parametrize("language", LANGUAGES)
def test_features_that_the_embedded_aws_lacks_are_reported_as_such(aws: Aws, language: str) -> None:
    found = run(aws, task("arn:aws:states:::glue:startJobRun.sync", language, {"JobName": "j"}), language)
    assert (found["error"], "not supported by the embedded AWS" in found["cause"]) == ("States.Runtime", True)


def test_assign_of_jsonpath_is_refused_rather_than_ignored(aws: Aws) -> None:
    states = {"Pass": {"Type": "Pass", "Assign": {"n": 1}, "End": True}}
    assert run(aws, states, "JSONPath")["error"] == "States.Runtime"


def test_the_history_describes_a_task_as_on_aws(aws: Aws) -> None:
    child = machine(aws, {"Pass": {"Type": "Pass", "End": True}})
    waited = task("arn:aws:states:::states:startExecution.sync:2", "JSONPath", {"StateMachineArn": child})
    waited["Only"]["TimeoutSeconds"] = 20
    found = run(aws, waited, "JSONPath")
    states = aws.client("stepfunctions")
    events = states.get_execution_history(executionArn=found["executionArn"])["events"]
    assert [event["type"] for event in events] == [
        *("ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted"),
        *("TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"),
    ]
    scheduled, submitted = events[2]["taskScheduledEventDetails"], events[4]["taskSubmittedEventDetails"]
    assert json.loads(scheduled.pop("parameters")) == {"StateMachineArn": child}
    named = {"resourceType": "states", "resource": "startExecution.sync:2"}
    assert scheduled == {**named, "region": "us-east-1", "timeoutInSeconds": 20}
    assert json.loads(submitted.pop("output"))["ExecutionArn"]
    assert submitted == named


def test_a_machine_like_aws_own_sample_of_2018_trains_and_predicts(
    aws: Aws, function: Callable[[str], str]
) -> None:
    """In JSONPath, with nothing specific to this project: a function, a training job, a batch."""
    bucket = f"b{uuid.uuid4().hex}"
    aws.client("s3").create_bucket(Bucket=bucket)
    resources = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge"}
    role = "arn:aws:iam::000000000000:role/job"

    def source(key: str) -> dict[str, Any]:
        return {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/csv/{key}"}}

    sharded = source("train.csv")
    sharded["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    states = {
        "Make data": {"Type": "Task", "Resource": function("make_cars"), "Next": "Train"},
        "Train": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
            "Parameters": {
                "TrainingJobName.$": "$$.Execution.Name",
                "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
                "HyperParameters": {"objective": "reg:logistic", "eval_metric": "rmse", "num_round": "5"},
                "InputDataConfig": [
                    {"ChannelName": "train", "ContentType": "text/csv", "DataSource": sharded}
                ],
                "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
                "ResourceConfig": {**resources, "VolumeSizeInGB": 30},
                "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
                "RoleArn": role,
            },
            "Next": "Save",
        },
        "Save": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sagemaker:createModel",
            "Parameters": {
                "ModelName.$": "$.TrainingJobName",
                "ExecutionRoleArn": role,
                "PrimaryContainer": {
                    "Image": XGBOOST,
                    "Environment": {},
                    "ModelDataUrl.$": "$.ModelArtifacts.S3ModelArtifacts",
                },
            },
            "Next": "Predict",
        },
        "Predict": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sagemaker:createTransformJob.sync",
            "Parameters": {
                "TransformJobName.$": "$$.Execution.Name",
                "ModelName.$": "$$.Execution.Name",
                "TransformInput": {
                    "CompressionType": "None",
                    "ContentType": "text/csv",
                    "DataSource": source("test.csv"),
                },
                "TransformOutput": {"S3OutputPath": f"s3://{bucket}/output"},
                "TransformResources": resources,
            },
            "End": True,
        },
    }
    found = output(run(aws, states, "JSONPath", {"bucket": bucket}, name=f"n{uuid.uuid4().hex}"))
    assert found["TransformJobStatus"] == "Completed"
    assert (type(found["CreationTime"]), found["Tags"]) == (int, {})
    predicted = aws.client("s3").get_object(Bucket=bucket, Key="output/test.csv.out")["Body"].read().decode()
    assert len(predicted.replace(",", "\n").split()) == 50

"""Policy questions put again to the running server, as requests signed by the role."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.faults.pipeline import Pipeline
from tests.integration.iam.policies import LEADING_KEYS, Asked, managed_policies, own_policies

ACCOUNT = "arn:aws:iam::000000000000"
_SERVICES = {
    "application-autoscaling": "application-autoscaling",
    "states": "stepfunctions",
    "iam": "sagemaker",
    "ecr": "sagemaker",
}
_TYPES = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
# The services' error codes for a denied call.
_REFUSALS = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}

_SERVING = "ServingRole"

_TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/mpg-local-live/variant/live",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}

Parameters = dict[str, Any]


def _last(arn: str) -> str:
    return arn.rpartition("/" if "/" in arn else ":")[2]


def _object(arn: str) -> Parameters:
    bucket, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
    return {"Bucket": bucket, "Key": key}


def _log_group(arn: str) -> Parameters:
    return {"logGroupName": arn.partition(":log-group:")[2]}


def _registered(repository: str) -> Parameters:
    """A package of an image of the repository. Not executed: there is no image with this tag."""
    _, _, _, region, account, name = repository.split(":")
    image = f"{account}.dkr.ecr.{region}.amazonaws.com/{_last(name)}:live"
    specification = {"Containers": [{"Image": image}], **_TYPES}
    return {"ModelPackageGroupName": "mpg-local--auto-mpg", "InferenceSpecification": specification}


def _passed(role: str) -> Parameters:
    """A processing job with the role, or a model: no role of the pipeline may create both."""
    if _SERVING in role:
        return {"ModelName": "mpg-local-live", "ExecutionRoleArn": role}
    return {"ProcessingJobName": "mpg-live", "RoleArn": role}


# Names that nothing has, so that a request that is let in changes nothing.
_ENDPOINT, _CONFIG, _MODEL = (
    {f"{name}Name": "mpg-local-live"} for name in ("Endpoint", "EndpointConfig", "Model")
)


def _function(arn: str) -> Parameters:
    """A function, by its name, and the version, if the ARN names one, of which there are not so many."""
    name, _, version = arn.partition(":function:")[2].partition(":")
    return {"FunctionName": name, **({"Qualifier": "999999"} if version else {})}


# Not executed: the revision is another one, and there is no such alias or version.
_REVISION, _ALIAS, _VERSION = {"RevisionId": "live"}, {"Name": "live"}, {"FunctionVersion": "999999"}


# A request that is let in writes an item without content, which the pipeline would stumble over if it were of these.
_READ_BY_THE_SWEEP = "package#"


def _items(question: Asked) -> Parameters:
    """A request about items of the kinds in question, none of which there is."""
    kinds, table = question.context[LEADING_KEYS], _last(question.resource)
    if question.action == "dynamodb:UpdateItem":
        kinds = [kind.replace(_READ_BY_THE_SWEEP, "live#") for kind in kinds]
    keys = [{"pk": {"S": kind}} for kind in kinds]
    if question.action == "dynamodb:BatchGetItem":
        return {"RequestItems": {table: {"Keys": keys}}}
    return {"TableName": table, ("Item" if question.action == "dynamodb:PutItem" else "Key"): keys[0]}


# Action -> the part of a request that names its resource. The rest may be missing or wrong, because permissions
# are checked first. If the SDK's method has a name other than the action's, it is given as well.
_REQUESTS: Mapping[str, Callable[[str], Parameters]] = {
    "dynamodb:Scan": lambda arn: {"TableName": _last(arn), "Limit": 1},
    "ecr:BatchGetImage": lambda arn: _registered(arn),
    "ecr:DescribeImages": lambda arn: _registered(arn),
    "cloudwatch:PutMetricAlarm": lambda arn: {"AlarmName": arn.partition(":alarm:")[2]},
    "application-autoscaling:DeregisterScalableTarget": lambda arn: _TARGET,
    "application-autoscaling:PutScalingPolicy": lambda arn: _TARGET | {"PolicyName": "live"},
    "application-autoscaling:RegisterScalableTarget": lambda arn: _TARGET,
    "iam:PassRole": lambda arn: _passed(arn),
    "lambda:CreateAlias": lambda arn: _function(arn) | _ALIAS | _VERSION,
    "lambda:DeleteFunction": _function,
    "lambda:GetAlias": lambda arn: _function(arn) | _ALIAS,
    "lambda:GetFunctionConfiguration": _function,
    "lambda:PublishVersion": lambda arn: _function(arn) | _REVISION,
    "lambda:UpdateAlias": lambda arn: _function(arn) | _ALIAS,
    "lambda:UpdateFunctionConfiguration": lambda arn: _function(arn) | _REVISION,
    "lambda:InvokeFunction": lambda arn: {"FunctionName": arn, "InvocationType": "DryRun"},
    "logs:CreateLogGroup": _log_group,
    "logs:CreateLogStream": lambda arn: _log_group(arn) | {"logStreamName": "live"},
    "logs:PutLogEvents": lambda arn: _log_group(arn) | {"logStreamName": "live", "logEvents": []},
    "s3:GetObject": _object,
    "s3:GetObjectVersion": lambda arn: _object(arn) | {"VersionId": "live"},
    "s3:ListBucket": lambda arn: {"Bucket": _last(arn), "MaxKeys": 1},
    "s3:ListBucketVersions": lambda arn: {"Bucket": _last(arn), "MaxKeys": 1},
    # Not executed: the digest does not match.
    "s3:PutObject": lambda arn: _object(arn) | {"Body": b"live", "ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="},
    "sagemaker:CreateEndpoint": lambda arn: _ENDPOINT | _CONFIG,
    "sagemaker:CreateEndpointConfig": lambda arn: _CONFIG,
    "sagemaker:DeleteEndpoint": lambda arn: _ENDPOINT,
    "sagemaker:DeleteEndpointConfig": lambda arn: _CONFIG,
    "sagemaker:CreateModel": lambda arn: _MODEL,
    "sagemaker:DeleteModel": lambda arn: _MODEL,
    "sagemaker:DescribeEndpoint": lambda arn: _ENDPOINT,
    "sagemaker:InvokeEndpoint": lambda arn: _ENDPOINT | {"Body": b""},
    "sagemaker:UpdateEndpoint": lambda arn: _ENDPOINT | _CONFIG,
    "sagemaker:UpdateEndpointWeightsAndCapacities": lambda arn: _ENDPOINT,
    "sagemaker:AddTags": lambda arn: {"ResourceArn": arn, "Tags": []},
    "sagemaker:CreateModelPackage": lambda arn: {"ModelPackageGroupName": arn.split("/")[1]},
    "sagemaker:CreateModelPackageGroup": lambda arn: {"ModelPackageGroupName": arn.split("/")[1]},
    "sagemaker:DescribeModelPackage": lambda arn: {"ModelPackageName": arn},
    "sagemaker:DescribeModelPackageGroup": lambda arn: {"ModelPackageGroupName": arn.split("/")[1]},
    "sagemaker:ListModelPackages": lambda arn: {"ModelPackageGroupName": arn.split("/")[1]},
    "sagemaker:ListTags": lambda arn: {"ResourceArn": arn},
    "sagemaker:ListTrainingJobsForHyperParameterTuningJob": lambda arn: {
        "HyperParameterTuningJobName": _last(arn)
    },
    "sagemaker:UpdateModelPackage": lambda arn: {"ModelPackageArn": arn},
    "sns:ListSubscriptionsByTopic": lambda arn: {"TopicArn": arn},
    "sns:Publish": lambda arn: {"TopicArn": arn, "Message": "live"},
    "states:DescribeExecution": lambda arn: {"executionArn": arn},
    "states:GetExecutionHistory": lambda arn: {"executionArn": arn},
    "states:ListExecutions": lambda arn: {"stateMachineArn": arn},
}
_METHODS = {
    "ecr:BatchGetImage": "create_model_package",
    "ecr:DescribeImages": "create_model_package",
    "iam:PassRole": "create_processing_job",
    "lambda:InvokeFunction": "invoke",
    "s3:GetObjectVersion": "get_object",
    "s3:ListBucket": "list_objects_v2",
    "s3:ListBucketVersions": "list_object_versions",
}
_JOB = re.compile(r"sagemaker:(?:Create|Describe|Stop)(\w+)")


class Live:
    """Sends requests to the running server as the pipeline's roles."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._credentials: dict[str, dict[str, str]] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        # Read once, since whoever changes one changes it back.
        self._own = cache(lambda role: own_policies(self.iam, role))
        self._shared = cache(lambda role: managed_policies(self.iam, role))

    @property
    def iam(self) -> Any:
        return self._pipeline.client("iam")

    def can_ask(self, question: Asked) -> bool:
        """Whether the question is about a request; a service's check with KMS on a caller's behalf is not."""
        return not question.action.startswith("kms:")

    def refuses(self, question: Asked) -> bool:
        """Whether the server denies a request with this action on this resource."""
        service, _, action = question.action.partition(":")
        method = _METHODS.get(question.action) or xform_name(action)
        if question.action == "iam:PassRole" and _SERVING in question.resource:
            method = "create_model"
        client = self._client(question.role, "sagemaker-runtime" if action == "InvokeEndpoint" else service)
        try:
            getattr(client, method)(**self._parameters(question))
        except ClientError as error:
            return error.response["Error"]["Code"] in _REFUSALS
        return False

    @contextmanager
    def without(self, role: str, sid: str) -> Iterator[None]:
        """While entered, the role's policies lack this statement."""
        for name, document in self._own(role).items():
            rest = [each for each in document["Statement"] if each.get("Sid", name) != sid]
            if len(rest) == len(document["Statement"]):
                continue
            if rest:
                self._put(role, name, document | {"Statement": rest})
            else:
                self.iam.delete_role_policy(RoleName=role, PolicyName=name)
            try:
                yield
            finally:
                self._put(role, name, document)
            return
        with self._without_shared(role, sid):
            yield

    @contextmanager
    def _without_shared(self, role: str, sid: str) -> Iterator[None]:
        """The same for a statement that the role shares with others, who keep it."""
        for arn, document in self._shared(role).items():
            rest = [each for each in document["Statement"] if each["Sid"] != sid]
            if len(rest) == len(document["Statement"]):
                continue
            if rest:
                self._put(role, "rest", document | {"Statement": rest})
            self.iam.detach_role_policy(RoleName=role, PolicyArn=arn)
            try:
                yield
            finally:
                self.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
                if rest:
                    self.iam.delete_role_policy(RoleName=role, PolicyName="rest")
            return
        raise LookupError(f"{role} has no statement {sid}")

    def _put(self, role: str, name: str, document: Mapping[str, Any]) -> None:
        self.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))

    def _parameters(self, question: Asked) -> Parameters:
        if question.action == "states:SendTaskSuccess":
            return {"taskToken": self._old_token, "output": "{}"}
        if question.action == "states:StartExecution":
            # Not executed: the name is taken.
            return {
                "stateMachineArn": question.resource,
                "name": self._taken_name(question.resource),
                "input": "{}",
            }
        if question.action == "sqs:SendMessage":
            queue = self._pipeline.client("sqs").get_queue_url(QueueName=_last(question.resource))
            return {"QueueUrl": queue["QueueUrl"], "MessageBody": "live"}
        if LEADING_KEYS in question.context:
            return _items(question)
        if parameters := _REQUESTS.get(question.action):
            return parameters(question.resource)
        if match := _JOB.fullmatch(question.action):
            return {f"{match[1]}Name": _last(question.resource)}
        assert question.resource == "*", question
        return {}

    def _taken_name(self, machine: str) -> str:
        found = self._pipeline.client("stepfunctions").list_executions(stateMachineArn=machine, maxResults=1)
        return str(found["executions"][0]["name"])

    @cached_property
    def _old_token(self) -> str:
        """A task token that nothing waits for any more; it still identifies its state machine."""
        items = self._pipeline.client("dynamodb").scan(TableName=self._pipeline.stack["TableName"])["Items"]
        return next(str(item["task_token"]["S"]) for item in items if "task_token" in item)

    def _client(self, role: str, service: str) -> Any:
        if (role, service) not in self._clients:
            if role not in self._credentials:
                self._credentials[role] = self._assume(role)
            new_client: Any = boto3.client
            self._clients[role, service] = new_client(
                _SERVICES.get(service, service),
                endpoint_url=self._pipeline.url,
                region_name="us-east-1",
                config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
                **self._credentials[role],
            )
        return self._clients[role, service]

    def _assume(self, role: str) -> dict[str, str]:
        """Credentials of a role that trusts only a service; for a moment it trusts us."""
        trust = self.iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        for_us = {"Effect": "Allow", "Principal": {"AWS": f"{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        self._trust(role, trust | {"Statement": [*trust["Statement"], for_us]})
        try:
            given = self._pipeline.client("sts").assume_role(
                RoleArn=f"{ACCOUNT}:role/{role}", RoleSessionName="live"
            )["Credentials"]
        finally:
            self._trust(role, trust)
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }

    def _trust(self, role: str, document: Mapping[str, Any]) -> None:
        self.iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))

"""template.yaml, with its nested stacks, as CloudFormation gets to see it.

SAM's transform is done, and intrinsic functions are evaluated.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from audit.transformed import REGION, TEMPLATE, transformed, written

ROOT = Path(__file__).parents[3]
STACK = "mpg-test"
NESTED = "AWS::CloudFormation::Stack"
ACCOUNT = "111122223333"
EMAILS = {"ApproverEmail": "approver@example.com", "NotificationEmail": "team@example.com"}
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@cache
def template(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template as written, short intrinsic functions in their long form."""
    return written(path)


@cache
def stack(key: str = "", endpoint_type: str = "serverless") -> dict[str, dict[str, Any]]:
    """Every resource after the transform, by logical id, evaluated with the defaults, this KmsKeyArn and this
    EndpointType.

    Those of the nested stacks are among them.
    """
    parameters = {**EMAILS, "KmsKeyArn": key, "EndpointType": endpoint_type}
    return _with_nested(Evaluator(transformed()["Resources"], parameters))


def _with_nested(evaluator: "Evaluator") -> dict[str, dict[str, Any]]:
    found = {
        name: evaluator.evaluate(each) for name, each in evaluator.resources.items() if evaluator.exists(each)
    }
    for resource in list(found.values()):
        if resource["Type"] == NESTED:
            found |= _with_nested(_nested(**resource["Properties"]))
    return found


def _nested(TemplateURL: str, Parameters: dict[str, Any]) -> "Evaluator":  # noqa: N803 - as in the template
    # Written relative to the template that names it.
    path = ROOT / "stacks" / Path(TemplateURL).name
    source = template(path)
    assert Parameters.keys() == source["Parameters"].keys()
    return Evaluator(_resources_of(path), Parameters, source)


@cache
def _resources_of(path: Path) -> dict[str, Any]:
    resources: dict[str, Any] = (transformed(path) if "Transform" in template(path) else template(path))[
        "Resources"
    ]
    return resources


def properties(logical_id: str, key: str = "", endpoint_type: str = "serverless") -> dict[str, Any]:
    """A resource's evaluated properties."""
    found: dict[str, Any] = stack(key, endpoint_type)[logical_id]["Properties"]
    return found


def of_type(
    resource_type: str, key: str = "", endpoint_type: str = "serverless"
) -> dict[str, dict[str, Any]]:
    """The evaluated properties of every resource of a type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in stack(key, endpoint_type).items()
        if resource["Type"] == resource_type
    }


def aws_arn(service: str, rest: str, *, region: str = REGION, account: str = ACCOUNT) -> str:
    """An ARN of the account that the stack is evaluated for."""
    return f"arn:aws:{service}:{region}:{account}:{rest}"


def physical_id(logical_id: str) -> str:
    """The generated name of an unnamed resource."""
    return f"{STACK}-{logical_id}-X1"


class Evaluator:
    """Evaluates the intrinsic functions that the template uses; an unknown one is an error."""

    def __init__(
        self,
        resources: Mapping[str, Any],
        parameters: Mapping[str, str] = EMAILS,
        source: Mapping[str, Any] | None = None,
    ) -> None:
        self.resources = resources
        self._template = source or template()
        defaults = {name: entry.get("Default") for name, entry in self._template["Parameters"].items()}
        self._parameters = {**defaults, **parameters}

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The template's outputs, as written."""
        outputs: Mapping[str, Any] = self._template["Outputs"]
        return outputs

    def exists(self, resource: Mapping[str, Any]) -> bool:
        """Whether the resource's condition holds, if it has one."""
        condition = resource.get("Condition")
        return condition is None or bool(self.evaluate(self._template["Conditions"][condition]))

    def evaluate(self, value: Any) -> Any:
        """The value with every function in it evaluated; AWS::NoValue removes its key or item."""
        if isinstance(value, list):
            return [item for item in map(self.evaluate, value) if item is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        evaluated = {key: self.evaluate(item) for key, item in value.items()}
        return {key: item for key, item in evaluated.items() if item is not None}

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                return self._attribute(*(argument.split(".", 1) if isinstance(argument, str) else argument))
            case "Fn::Sub":
                return self._sub(argument)
            case "Fn::FindInMap":
                table, first, second = (self.evaluate(part) for part in argument)
                return self._template["Mappings"][table][str(first)][second]
            case "Fn::If":
                condition, yes, no = argument
                return self.evaluate(yes if self.evaluate(self._template["Conditions"][condition]) else no)
            case "Fn::Equals":
                first, second = (self.evaluate(part) for part in argument)
                return first == second
            case "Fn::Not":
                return not self.evaluate(argument[0])
        raise NotImplementedError(name)

    def _sub(self, argument: Any) -> str:
        text, values = (argument, {}) if isinstance(argument, str) else argument

        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in values:
                return str(self.evaluate(values[name]))
            logical_id, dot, attribute = name.partition(".")
            return str(self._attribute(logical_id, attribute) if dot else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replaced, text)

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::StackName": STACK,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": None,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        arn_is_its_ref = {
            "AWS::StepFunctions::StateMachine",
            "AWS::SNS::Topic",
            "AWS::IAM::ManagedPolicy",
        }
        kind = self.resources[name]["Type"]
        return self._attribute(name, "Arn") if kind in arn_is_its_ref else self._physical_id(name)

    def _physical_id(self, logical_id: str) -> str:
        resource = self.resources[logical_id]
        named = resource.get("Properties", {}).get("LogGroupName")
        if named:
            return str(self.evaluate(named))
        if resource["Type"] == "AWS::S3::Bucket":
            return f"{STACK}-{logical_id.lower()}-x1"
        return physical_id(logical_id)

    def _attribute(self, logical_id: str, attribute: str) -> Any:
        if self.resources[logical_id]["Type"] == NESTED:
            child = _nested(**self.evaluate(self.resources[logical_id]["Properties"]))
            return child.evaluate(child.outputs[attribute.removeprefix("Outputs.")]["Value"])
        own = self._physical_id(logical_id)
        arns = {
            "AWS::S3::Bucket": f"arn:aws:s3:::{own}",
            "AWS::DynamoDB::Table": aws_arn("dynamodb", f"table/{own}"),
            "AWS::Lambda::Function": aws_arn("lambda", f"function:{own}"),
            "AWS::Logs::LogGroup": aws_arn("logs", f"log-group:{own}:*"),
            "AWS::IAM::Role": aws_arn("iam", f"role/{own}", region=""),
            "AWS::IAM::ManagedPolicy": aws_arn("iam", f"policy/{own}", region=""),
            "AWS::SQS::Queue": aws_arn("sqs", own),
            "AWS::CloudWatch::Alarm": aws_arn("cloudwatch", f"alarm:{own}"),
            "AWS::SNS::Topic": aws_arn("sns", own),
            "AWS::Events::Rule": aws_arn("events", f"rule/{own}"),
        }
        if self.resources[logical_id]["Type"] == "AWS::StepFunctions::StateMachine":
            return aws_arn(
                "states",
                f"stateMachine:{self.evaluate(self.resources[logical_id]['Properties']['StateMachineName'])}",
            )
        if attribute == "Arn":
            return arns[self.resources[logical_id]["Type"]]
        if attribute == "QueueName":
            return own
        return {"FunctionUrl": "https://x.lambda-url.aws/", "CodePrefix": "code/0123/", "Version": "1"}[
            attribute
        ]

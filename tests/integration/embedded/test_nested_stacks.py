"""A nested stack is made, changed and deleted with its parent, and so are its failures."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Aws, eventually

Json = dict[str, Any]
AUTO_EXPAND = "CAPABILITY_AUTO_EXPAND"


class Family:
    """A stack whose only resource, but for those that a test adds, is a nested stack."""

    def __init__(self, aws: Aws) -> None:
        self.name = f"family-{uuid.uuid4().hex[:8]}"
        self.aws = aws
        self.cloudformation: Any = aws.client("cloudformation")
        aws.client("s3").create_bucket(Bucket=self.name)

    def template(self, child: Json, **others: Json) -> str:
        """The parent's template, for this template of the child; it outputs the child's output Out."""
        key = f"{uuid.uuid4().hex}.json"
        self.aws.client("s3").put_object(Bucket=self.name, Key=key, Body=json.dumps(child).encode())
        properties = {
            "TemplateURL": f"{self.aws.endpoint_url}/{self.name}/{key}",
            "Parameters": {"Label": {"Ref": "Label"}},
        }
        nested: Json = {"Type": "AWS::CloudFormation::Stack", "Properties": properties}
        parent = {
            "Parameters": {"Label": {"Type": "String"}},
            "Resources": {"Child": nested, **others},
            "Outputs": {"FromChild": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Out"]}}},
        }
        return json.dumps(parent)

    def create(self, template: str, label: str = "first", capabilities: tuple[str, ...] = ()) -> str:
        self.cloudformation.create_stack(
            StackName=self.name,
            TemplateBody=template,
            Parameters=[{"ParameterKey": "Label", "ParameterValue": label}],
            Capabilities=list(capabilities),
        )
        return self.ended()

    def update(self, template: str, label: str = "second") -> str:
        self.cloudformation.update_stack(
            StackName=self.name,
            TemplateBody=template,
            Parameters=[{"ParameterKey": "Label", "ParameterValue": label}],
        )
        return self.ended()

    def ended(self, stack: str = "", operation: str = "") -> str:
        """The stack's status once nothing is under way, and the operation, such as DELETE, has begun."""

        def status() -> str:
            found = self.cloudformation.describe_stacks(StackName=stack or self.name)["Stacks"][0]
            now = str(found["StackStatus"])
            return "" if now.endswith("IN_PROGRESS") or not now.startswith(operation) else now

        return str(eventually(status))

    @property
    def output(self) -> str:
        stack = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        return str(stack["Outputs"][0]["OutputValue"])

    @property
    def child(self) -> str:
        """The nested stack's ARN."""
        found = self.cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId="Child")
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def reasons(self) -> str:
        events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return json.dumps(events, default=str)

    def topics(self) -> dict[str, str]:
        """The display names of this family's topics, by the end of their names."""
        sns = self.aws.client("sns")
        found = [topic["TopicArn"] for topic in sns.list_topics()["Topics"] if self.name in topic["TopicArn"]]
        return {
            arn.rpartition("-")[2]: sns.get_topic_attributes(TopicArn=arn)["Attributes"].get(
                "DisplayName", ""
            )
            for arn in found
        }


@pytest.fixture
def family(aws: Aws) -> Iterator[Family]:
    made = Family(aws)
    yield made
    made.cloudformation.delete_stack(StackName=made.name)


def topic(family: Family, name: str, **attributes: str) -> Json:
    properties = {"TopicName": f"{family.name}-{name}", "DisplayName": {"Ref": "Label"}}
    return {"Type": "AWS::SNS::Topic", "Properties": properties, **attributes}


def child(**resources: Json) -> Json:
    return {
        "Parameters": {"Label": {"Type": "String"}},
        "Resources": resources,
        "Outputs": {"Out": {"Value": {"Fn::Sub": "the ${Label} one"}}},
    }


def refused() -> Json:
    """A resource that cannot be made."""
    return {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": "https://s3.us-east-1.amazonaws.com/nowhere/nothing.json"},
        "DependsOn": "Topic",
    }


def test_a_nested_stack_gets_its_parameters_and_gives_its_outputs(family: Family) -> None:
    assert family.create(family.template(child(Topic=topic(family, "one")))) == "CREATE_COMPLETE"
    assert (family.output, family.topics()) == ("the first one", {"one": "first"})


def test_an_update_changes_adds_and_removes_what_is_in_it(family: Family) -> None:
    family.create(family.template(child(Topic=topic(family, "one"), Gone=topic(family, "two"))))
    before = family.child
    template = family.template(child(Topic=topic(family, "one"), New=topic(family, "three")))
    assert family.update(template) == "UPDATE_COMPLETE"
    assert (family.output, family.topics()) == ("the second one", {"one": "second", "three": "second"})
    assert family.child == before


def test_an_update_knows_the_attributes_of_what_it_leaves_as_it_is(family: Family) -> None:
    queue = {"Type": "AWS::SQS::Queue"}
    named = {**topic(family, "one"), "DependsOn": "Queue"}
    named["Properties"] = {**named["Properties"], "DisplayName": {"Fn::Sub": "${Label} ${Queue.QueueName}"}}
    family.create(family.template(child(Queue=queue, Topic=named)))
    [before] = family.topics().values()
    assert family.update(family.template(child(Queue=queue, Topic=named))) == "UPDATE_COMPLETE", (
        family.reasons()
    )
    assert family.topics() == {"one": before.replace("first", "second")}


def test_a_nested_stack_goes_with_its_parent_but_for_what_it_retains(family: Family) -> None:
    kept = topic(family, "kept", DeletionPolicy="Retain")
    family.create(family.template(child(Topic=topic(family, "one"), Kept=kept)))
    nested = family.child
    family.cloudformation.delete_stack(StackName=family.name)
    assert family.ended(nested, "DELETE") == "DELETE_COMPLETE"
    assert family.topics() == {"kept": "first"}


def test_when_its_creation_fails_nothing_of_it_is_left_and_the_parent_says_which_resource_failed(
    family: Family,
) -> None:
    template = family.template(child(Topic=topic(family, "one"), Broken=refused()))
    assert family.create(template) == "ROLLBACK_COMPLETE"
    assert family.topics() == {}
    reasons = family.reasons()
    assert "was not successfully created: The following resource(s) failed to create: [Broken]" in reasons


def test_when_its_update_fails_it_and_its_parent_are_as_before(family: Family) -> None:
    family.create(family.template(child(Topic=topic(family, "one"))))
    template = family.template(child(Topic=topic(family, "one"), Broken=refused()))
    assert family.update(template) == "UPDATE_ROLLBACK_COMPLETE"
    assert (family.output, family.topics()) == ("the first one", {"one": "first"})


def test_when_another_resource_fails_a_nested_stack_that_was_made_goes_again(family: Family) -> None:
    broken = {**refused(), "DependsOn": "Child"}
    assert family.create(family.template(child(Topic=topic(family, "one")), Broken=broken)) == (
        "ROLLBACK_COMPLETE"
    )
    assert family.topics() == {}


def test_when_it_cannot_be_deleted_neither_is_its_parent(family: Family) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"{family.name}-full"}}
    family.create(family.template(child(Full=bucket)))
    s3 = family.aws.client("s3")
    s3.put_object(Bucket=f"{family.name}-full", Key="kept", Body=b"x")
    family.cloudformation.delete_stack(StackName=family.name)
    assert family.ended(operation="DELETE") == "DELETE_FAILED"
    assert "was not successfully deleted: The following resource(s) failed to delete: [Full]" in (
        family.reasons()
    )
    s3.delete_object(Bucket=f"{family.name}-full", Key="kept")


def test_a_macro_in_a_nested_template_asks_for_the_capability_to_expand_it(family: Family) -> None:
    template = family.template(child(Topic=topic(family, "one")) | {"Transform": "AWS::LanguageExtensions"})
    assert family.create(template) == "ROLLBACK_COMPLETE"
    assert f"Requires capabilities : [{AUTO_EXPAND}]" in family.reasons()


def test_with_that_capability_it_is_expanded(family: Family) -> None:
    named = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Sub": f"{family.name}-${{Name}}"}}}
    loop: Json = {"Fn::ForEach::Topics": ["Name", ["one", "two"], {"Topic${Name}": named}]}
    template = family.template(child(**loop) | {"Transform": "AWS::LanguageExtensions"})
    assert family.create(template, capabilities=(AUTO_EXPAND,)) == "CREATE_COMPLETE"
    assert family.topics().keys() == {"one", "two"}


def test_roles_in_a_nested_template_ask_for_the_capability_to_make_them(family: Family) -> None:
    trust = {"Version": "2012-10-17", "Statement": []}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}
    assert family.create(family.template(child(Role=role))) == "ROLLBACK_COMPLETE"
    assert "Requires capabilities : [CAPABILITY_IAM]" in family.reasons()

"""Nested stacks, where CloudFormation treats them otherwise than the emulator.

By https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html and
.../TemplateReference/aws-attribute-deletionpolicy.html.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

NESTED = "AWS::CloudFormation::Stack"
_KEPT = {"Retain", "RetainExceptOnCreate"}

Json = dict[str, Any]
Handler = Callable[..., Any]


def install_nested_stacks() -> None:
    """Transform nested templates, keep the attributes of what an update leaves as it is, remove what a failed
    creation made, and let a deletion fail or retain."""
    from ministack.services.cloudformation import provisioners

    # Called with each template of a nested stack, between its reading and its use.
    check = provisioners._check_nested_stack_capabilities
    provisioners._check_nested_stack_capabilities = _then_transform(check)
    # Nested stacks call it by this name, others by a name of their own, with the attributes.
    provisioners._update_resource = _with_attributes(provisioners._update_resource)
    handlers = provisioners._RESOURCE_HANDLERS[NESTED]
    handlers["create"] = _undone_when_it_fails(handlers["create"])
    handlers["delete"] = _delete


def _then_transform(check: Callable[..., None]) -> Callable[..., None]:
    def check_and_transform(parent_stack_name: str, template: Json) -> None:
        from ministack.services.cloudformation import engine

        check(parent_stack_name, template)
        transformed = engine._apply_transforms(template)
        if isinstance(transformed, engine._TransformFailed):
            raise ValueError(transformed.error)
        if transformed is not template:
            template.clear()
            template.update(transformed)

    return check_and_transform


def _with_attributes(update: Handler) -> Handler:
    """The emulator forgets the attributes of a nested stack's resources that an update does not change."""

    def update_resource(
        kind: str, physical_id: str, old: Json, new: Json, stack_name: str, logical_id: str | None = None
    ) -> Any:
        from ministack.services.cloudformation import _stacks

        known = _stacks[stack_name]["_resources"].get(logical_id, {}).get("Attributes")
        return update(kind, physical_id, old, new, stack_name, logical_id, known)

    return update_resource


def _undone_when_it_fails(create: Handler) -> Handler:
    def create_or_undo(logical_id: str, properties: Json, stack_name: str) -> Any:
        from ministack.services.cloudformation import _stacks

        before = set(_stacks)
        try:
            return create(logical_id, properties, stack_name)
        except Exception as error:
            made = [_stacks[name] for name in set(_stacks) - before]
            children = [stack for stack in made if stack.get("_parent_stack_name") == stack_name]
            if not children:
                raise
            [child] = children
            failed = ", ".join(_failed_resources(child))
            _remove(child, keep=frozenset({"Retain"}))
            raise ValueError(
                f"Embedded stack {child['StackId']} was not successfully created: "
                f"The following resource(s) failed to create: [{failed}]. "
            ) from error

    return create_or_undo


def _failed_resources(child: Json) -> Iterator[str]:
    from ministack.services.cloudformation import _stack_events

    for event in _stack_events[child["StackId"]]:
        if event["ResourceStatus"] == "CREATE_FAILED" and event["LogicalResourceId"] != child["StackName"]:
            yield str(event["LogicalResourceId"])


def _delete(physical_id: str, properties: Mapping[str, Any]) -> None:
    """Raises ValueError when one of its resources cannot be deleted."""
    from ministack.services.cloudformation import _stacks, provisioners

    child = _stacks.get(provisioners._nested_stack_lookup_name(physical_id))
    if child is not None:
        _remove(child, keep=frozenset(_KEPT))


def _remove(child: Json, keep: frozenset[str]) -> None:
    """Delete the stack's resources, dependents first, but for those with a deletion policy to keep them."""
    from ministack.services.cloudformation import engine, provisioners, stacks

    name, stack_id, resources = child["StackName"], child["StackId"], child["_resources"]
    definitions = child["_template"].get("Resources", {})
    failed = []
    for logical_id in reversed(engine._topological_sort(definitions, child["_conditions"])):
        if logical_id not in resources:
            continue
        found = resources[logical_id]
        kind, physical_id = found["ResourceType"], found["PhysicalResourceId"]
        status, reason = "DELETE_COMPLETE", ""
        if definitions[logical_id].get("DeletionPolicy") in keep:
            status = "DELETE_SKIPPED"
        else:
            try:
                provisioners._delete_resource(kind, physical_id, found["Properties"], name, logical_id)
            except Exception as error:
                status, reason = "DELETE_FAILED", str(error)
                failed.append(logical_id)
        stacks._add_event(stack_id, name, logical_id, kind, status, reason, physical_id)
        if status != "DELETE_FAILED":
            del resources[logical_id]
    child["StackStatus"] = "DELETE_FAILED" if failed else "DELETE_COMPLETE"
    stacks._add_event(stack_id, name, name, NESTED, child["StackStatus"], physical_id=stack_id)
    if failed:
        raise ValueError(
            f"Embedded stack {stack_id} was not successfully deleted: "
            f"The following resource(s) failed to delete: [{', '.join(failed)}]. "
        )

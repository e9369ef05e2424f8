"""The stack that the preflight creates for its checks and then removes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.belongings import find_belongings
from deploy.destroy import destroy
from deploy.preflight.checks import Account, until
from deploy.preflight.reading import image_uri
from deploy.problems import Trouble

NAME = "mpg-preflight"
_TEMPLATE = Path(__file__).with_name("template.yaml")


@contextmanager
def own_stack(account: Account) -> Iterator[Account]:
    """While entered, the stack exists; afterwards nothing of it is left. Yields the account."""
    remove(account)  # leftovers of an interrupted preflight
    try:
        yield replace(account, made=_make(account))
    finally:
        remove(account)


def remove(account: Account) -> None:
    """Delete the stack with everything in it, if it exists."""
    belongings = find_belongings(account.client, NAME)
    if belongings.anything:
        print(f"Removing {NAME} ...", flush=True)
        destroy(account.client, belongings, say=lambda _: None)


def _make(account: Account) -> dict[str, str]:
    cloudformation = account.client("cloudformation")
    print(f"Creating {NAME} ...", flush=True)
    cloudformation.create_stack(
        StackName=NAME,
        TemplateBody=_TEMPLATE.read_text(encoding="utf-8"),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": "JobImage", "ParameterValue": image_uri("scikit-learn", account.region)}
        ],
    )

    def ended() -> Any:
        (stack,) = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    stack = until(ended, 600, "the stack is not created")
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise Trouble(f"The stack {NAME} is in {stack['StackStatus']}: {stack.get('StackStatusReason', '')}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

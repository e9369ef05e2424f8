"""Which endpoints belong to a stack, and how they go with it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.belongings import endpoint_names
from deploy.endpoints import delete_endpoints, existing
from deploy.problems import Trouble


def refusal(code: str, text: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}}, "Call")


class Account:
    """SageMaker, CloudWatch and Application Auto Scaling with endpoints of two stacks."""

    def __init__(self, status: str = "InService", reads: int = 1) -> None:
        self.status = {"mpg-one": status, "mpg-two-one": "InService"}
        self.configs = [
            "mpg-one-v1-0123abcd",
            "mpg-one-v12-89abcdef",
            "mpg-one-by-hand",
            "x-mpg-one-v1-0123abcd",
        ]
        self.deleted: list[str] = []
        self._reads = reads
        self._operation = ""

    def describe_endpoint(self, EndpointName: str) -> dict[str, str]:  # noqa: N803 - as boto3 calls it
        if self.status.get(EndpointName) == "Deleting":
            self._reads -= 1
            if self._reads < 0:
                del self.status[EndpointName]
        if EndpointName not in self.status:
            raise refusal("ValidationException", 'Could not find endpoint "arn".')
        return {"EndpointStatus": self.status[EndpointName]}

    def delete_endpoint(self, EndpointName: str) -> None:  # noqa: N803
        if self.status[EndpointName] == "Updating":
            self.status[EndpointName] = "InService"
            raise refusal("ValidationException", "Cannot delete in-progress endpoint.")
        self.status[EndpointName] = "Deleting"

    def deregister_scalable_target(self, **target: str) -> None:
        self.deleted.append(target["ResourceId"])
        raise refusal("ObjectNotFoundException", "No scalable target")

    def delete_alarms(self, AlarmNames: list[str]) -> None:  # noqa: N803
        self.deleted += AlarmNames

    def delete_endpoint_config(self, EndpointConfigName: str) -> None:  # noqa: N803
        self.deleted.append(EndpointConfigName)

    def delete_model(self, ModelName: str) -> None:  # noqa: N803
        self.deleted.append(ModelName)

    def get_paginator(self, operation: str) -> "Account":
        self._operation = operation
        return self

    def paginate(self, NameContains: str, **_: Any) -> list[dict[str, Any]]:  # noqa: N803
        member, name = {
            "list_endpoint_configs": ("EndpointConfigs", "EndpointConfigName"),
            "list_models": ("Models", "ModelName"),
        }[self._operation]
        return [{member: []}, {member: [{name: each} for each in self.configs if NameContains in each]}]


def no_pause(seconds: float) -> None:
    """Instead of sleeping."""


def test_a_stack_may_have_an_endpoint_for_each_of_its_groups() -> None:
    assert endpoint_names("mpg", ["mpg--one", "mpg--other-thing"]) == ("mpg-one", "mpg-other-thing")


@pytest.mark.parametrize("status", ["InService", "Updating", "Failed", "Deleting"])
def test_an_endpoint_goes_with_all_that_its_releases_made_and_nothing_else(status: str) -> None:
    account = Account(status, reads=2)
    assert delete_endpoints(lambda service: account, ["mpg-one", "mpg-none"], pause=no_pause) == 1
    assert list(account.status) == ["mpg-two-one"]
    made = {"mpg-one-v1-0123abcd", "mpg-one-v12-89abcdef"}
    assert set(account.deleted) == made | {
        "endpoint/mpg-one/variant/live",
        *(f"mpg-{name}-{alarm}" for name in ("one", "none") for alarm in ("errors", "latency")),
    }


def test_an_endpoint_that_does_not_go_is_trouble() -> None:
    with pytest.raises(Trouble, match="mpg-one is still"):
        delete_endpoints(lambda service: Account(reads=99), ["mpg-one"], pause=no_pause, seconds=0)


def test_only_endpoints_that_exist_are_named() -> None:
    assert existing(Account(), ["mpg-one", "mpg-none"]) == ["mpg-one"]

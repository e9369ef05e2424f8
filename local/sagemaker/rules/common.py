"""Rules that several requests share."""

from __future__ import annotations

from collections.abc import Iterable

from local.sagemaker.engines.images import Image, UnknownImage, find_image
from local.sagemaker.errors import ServiceError, invalid, unsupported
from local.sagemaker.kinds import Json
from local.sagemaker.store import Store

# Each is a process of this machine.
MOST_INSTANCES = 16


def refuse(condition: object, error: ServiceError) -> None:
    """Raise the error if the condition holds."""
    if condition:
        raise error


def role_is_of_this_account(request: Json, store: Store) -> None:
    """A role of another account cannot be passed."""
    for place in (request, request.get("TrainingJobDefinition", {})):
        account_id = place["RoleArn"].split(":")[4] if "RoleArn" in place else store.account_id
        refuse(account_id != store.account_id, invalid("RoleArn: Cross-account pass role is not allowed."))


def image_of(uri: str, store: Store) -> Image:
    """The image of a URI; refuses an image that cannot run here."""
    try:
        return find_image(uri, store.region)
    except UnknownImage as error:
        raise invalid(
            f"Invalid image URI {uri}. Please provide a valid Amazon Elastic Container Registry path of "
            f"the Docker image to run. ({error})"
        ) from None


def no_two(what: str, names: Iterable[str]) -> None:
    """Refuse duplicate names; `what` says what they name."""
    seen: set[str] = set()
    for name in names:
        refuse(name in seen, invalid(f"{what} must be unique; '{name}' is given more than once."))
        seen.add(name)


def instances(config: Json) -> None:
    """A request must ask for instances of one type, few enough for one machine."""
    for name in ("InstanceType", "InstanceCount"):
        refuse(name not in config, unsupported(f"A job without {name} is"))
    few = config["InstanceCount"] >= 1
    refuse(not few, invalid("InstanceCount must be greater than or equal to 1."))
    refuse(config["InstanceCount"] > MOST_INSTANCES, unsupported(f"More than {MOST_INSTANCES} instances are"))

"""The permissions that a call needs, where the emulator does not know them, and a record of all checks.

The emulator decides, with its own evaluator of policies. This file says which action on which resource a call
to SageMaker is and which roles it passes. It also keeps every question that was asked, so that
`GET /_mpg/<token>/permissions` shows which permissions a run used and a test can remove each of them.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from local.sagemaker.kinds import ENDPOINT_CONFIG, KINDS, PACKAGE, PACKAGE_GROUP

Json = Mapping[str, Any]

READ_ARTIFACT = "s3:GetObject"
# Nobody can know the id of a target in advance, so policies name them all.
SCALABLE_TARGETS = "arn:aws:application-autoscaling:{region}:{account}:scalable-target/*"
_IMAGE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<name>[^:@]+)[:@].+")


class CannotAssume(Exception):
    """The role does not exist, or its trust policy does not allow the service."""


@dataclass(frozen=True)
class Question:
    """May this principal do that? `by` names who decides: a role's policies, a trust or a resource policy."""

    principal: str
    action: str
    resource: str
    allowed: bool
    by: str = "identity"
    context: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def role(self) -> str:
        """The name of the role that asked, or of the service if no role did."""
        return self.principal.split("/")[1] if ":assumed-role/" in self.principal else self.principal


class Questions:
    """Every distinct question, in the order in which it was first asked. Thread-safe."""

    def __init__(self) -> None:
        self._asked: dict[tuple[Question, str], int] = {}
        self._lock = threading.Lock()

    def add(self, question: Question) -> None:
        key = (question, json.dumps(question.context, sort_keys=True, default=str))
        with self._lock:
            self._asked[key] = self._asked.get(key, 0) + 1

    def as_json(self) -> list[dict[str, Any]]:
        """The questions, each with how often it was asked."""
        with self._lock:
            asked = list(self._asked.items())
        return [{**asdict(question), "role": question.role, "times": times} for (question, _), times in asked]


def sagemaker_resource(action: str, request: Json, region: str, account: str) -> str:
    """The ARN on which the caller needs `sagemaker:<action>`; "*" where the action supports no resource.

    By https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemakerai.html
    """

    def arn(kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{region}:{account}:{kind}/{name}"

    group = _text(request.get("ModelPackageGroupName"))
    name = _text(request.get("ModelPackageArn") or request.get("ModelPackageName"))
    if action in {"CreateModelPackage", "ListModelPackages"} and group:
        # Checked on the group's packages, none of which the call names; a policy that allows them says /*.
        return arn(PACKAGE.arn_part, f"{group.rpartition('/')[2]}/*")
    if name:
        return name if name.startswith("arn:") else arn(PACKAGE.arn_part, name)
    if group:
        return group if group.startswith("arn:") else arn(PACKAGE_GROUP.arn_part, group)
    if resource := _text(request.get("ResourceArn")):
        return resource
    if endpoint := _text(request.get("EndpointName")):
        return arn("endpoint", endpoint.lower())
    for kind in KINDS:
        own = _text(request.get(kind.name_field))
        if own and action.endswith(kind.stem):
            return arn(kind.arn_part, kind.key(own))
    return "*"


def also_needed(action: str, request: Json, region: str, account: str) -> Iterator[tuple[str, str]]:
    """The further resources on which the caller of an action on endpoints needs it."""
    config = _text(request.get("EndpointConfigName"))
    if action in {"CreateEndpoint", "UpdateEndpoint"} and config:
        own = f"{ENDPOINT_CONFIG.arn_part}/{ENDPOINT_CONFIG.key(config)}"
        yield f"sagemaker:{action}", f"arn:aws:sagemaker:{region}:{account}:{own}"


def tag_keys(action: str, request: Json) -> dict[str, Any]:
    """The condition keys of `sagemaker:AddTags` when a request creates a resource with tags.

    By https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemakerai.html
    """
    tags = request.get("Tags")
    named = {
        _text(tag.get("Key")): _text(tag.get("Value"))
        for tag in (tags if isinstance(tags, list) else [])
        if isinstance(tag, Mapping)
    }
    return {
        "sagemaker:TaggingAction": action,
        "aws:TagKeys": list(named),
        **{f"aws:RequestTag/{key}": value for key, value in named.items()},
    }


def passed_roles(request: Any) -> Iterator[str]:
    """The roles in a request to SageMaker, each of which the caller must be allowed to pass."""
    if not isinstance(request, Mapping):
        return
    for name in ("RoleArn", "ExecutionRoleArn"):
        if role := _text(request.get(name)):
            yield role
    yield from passed_roles(request.get("TrainingJobDefinition"))
    definitions = request.get("TrainingJobDefinitions")
    for definition in definitions if isinstance(definitions, list) else []:
        yield from passed_roles(definition)


def read_for_package(request: Json) -> Iterator[tuple[str, str]]:
    """What SageMaker reads to create a model package: action and resource, for each image and artifact.

    It looks up the image's digest and reads the artifact. AWS documents neither, but its own policy for
    registering models allows just these actions, so the caller needs them:
    https://docs.aws.amazon.com/sagemaker/latest/dg/security-iam-awsmanpol-model-registry.html
    """
    for container in _containers(request):
        if image := _IMAGE.fullmatch(_text(container.get("Image"))):
            repository = "arn:aws:ecr:{region}:{account}:repository/{name}".format(**image.groupdict())
            yield "ecr:BatchGetImage", repository
            yield "ecr:DescribeImages", repository
        if uri := _text(container.get("ModelDataUrl")):
            yield READ_ARTIFACT, f"arn:aws:s3:::{uri.removeprefix('s3://')}"


def _containers(request: Json) -> list[Json]:
    specification = request.get("InferenceSpecification")
    containers = specification.get("Containers") if isinstance(specification, Mapping) else None
    listed = containers if isinstance(containers, list) else []
    return [each for each in listed if isinstance(each, Mapping)]


def volume_keys(request: Any) -> Iterator[str]:
    """The keys with which a request to SageMaker encrypts the volumes of its instances."""
    if isinstance(request, list):
        for item in request:
            yield from volume_keys(item)
    elif isinstance(request, Mapping):
        if key := _text(request.get("VolumeKmsKeyId")):
            yield key
        for item in request.values():
            yield from volume_keys(item)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

"""Checks that only read."""

import json
import re
from typing import Any

from botocore.exceptions import EndpointConnectionError

from deploy.preflight.checks import Account, CannotTell, Check, Seen
from deploy.settings import ROOT, image_accounts, read_settings

DEFINITION = ROOT / "statemachine" / "pipeline.asl.json"
# By the names that workloads use for them: who publishes the image, repository and tag.
IMAGES = {
    "xgboost": ("SageMaker", "sagemaker-xgboost:3.2-0"),
    "scikit-learn": ("SageMaker", "sagemaker-scikit-learn:1.9-0-cpu-py3"),
    "pytorch-training": ("DeepLearning", "pytorch-training:2.6.0-cpu-py312-ubuntu22.04-sagemaker"),
    "pytorch-inference": ("DeepLearning", "pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker"),
}
# Substitutions of the definition that are no parameters; the values only have to be plausible.
_ELSEWHERE = {"ApprovalTimeoutSeconds": "604800"}
_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


def definition() -> dict[str, Any]:
    """The pipeline's state machine as a deployment with the defaults would create it, with every field of a
    request in its state."""
    known = {**read_settings("default").parameters, **_ELSEWHERE}

    def value(name: str) -> str:
        return known.get(name) or (_FUNCTION if name.endswith("FunctionArn") else name.lower())

    text = DEFINITION.read_text(encoding="utf-8")
    made: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)\}", lambda found: value(found[1]), text))
    # The search's settings are a variable, and a validator only looks at fields that are written out.
    settings = json.dumps(made["States"]["Load workload"]["Assign"]["tuningJobConfig"])
    made["States"]["Tune"]["Arguments"]["HyperParameterTuningJobConfig"] = json.loads(
        settings.replace("$parse($states.result.Body)", "$workload")
    )
    return made


def diagnose(account: Account, machine: dict[str, Any]) -> str:
    """Step Functions' objections to a definition; empty if there are none."""
    answer = account.client("stepfunctions").validate_state_machine_definition(definition=json.dumps(machine))
    errors = [each for each in answer["diagnostics"] if each["severity"] == "ERROR"]
    return "; ".join(f"{each.get('location', '')} {each['message']}".strip() for each in errors)


def with_tuning(*path: str, value: Any) -> dict[str, Any]:
    """The definition with one additional field in the request of the tuning job."""
    machine = definition()
    place = machine["States"]["Tune"]["Arguments"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return machine


def _fields(account: Account) -> Seen:
    if not diagnose(account, with_tuning("NoSuchField", value=1)):
        raise CannotTell("a definition with an invented field is not refused either, so this shows nothing")
    problems = diagnose(account, definition())
    return Seen.that(not problems, problems or "the definition is valid, one with an invented field is not")


def _younger_fields(account: Account) -> Seen:
    config = "HyperParameterTuningJobConfig"
    if not diagnose(account, with_tuning(config, "NoSuchField", value=1)):
        raise CannotTell("validation does not check nested fields")
    younger = {
        "RandomSeed": with_tuning(config, "RandomSeed", value=1),
        "ResourceLimits.MaxRuntimeInSeconds": with_tuning(
            config, "ResourceLimits", "MaxRuntimeInSeconds", value=36000
        ),
    }
    refused = [name for name, machine in younger.items() if diagnose(account, machine)]
    return Seen.that(len(refused) == len(younger), f"refused: {', '.join(refused) or 'none'}")


def _images(account: Account) -> Seen:
    ecr, publishers, lacking = account.client("ecr"), image_accounts()[account.region], []
    for publisher, image in IMAGES.values():
        repository, _, tag = image.partition(":")
        answer = ecr.batch_get_image(
            registryId=publishers[publisher], repositoryName=repository, imageIds=[{"imageTag": tag}]
        )
        if not answer["images"]:
            lacking.append(image)
    return Seen.that(not lacking, f"missing: {', '.join(lacking)}" if lacking else "all are there")


def _traces(account: Account) -> Seen:
    try:
        account.client("xray").get_sampling_rules()
    except EndpointConnectionError as error:
        return Seen("differs", str(error))
    return Seen("ok", "X-Ray answers")


def image_uri(kind: str, region: str) -> str:
    """The address of one of the pipeline's images."""
    publisher, image = IMAGES[kind]
    return f"{image_accounts()[region][publisher]}.dkr.ecr.{region}.amazonaws.com/{image}"


CHECKS = (
    Check(
        "Step Functions accepts every field that the pipeline's tasks send",
        "aws stepfunctions validate-state-machine-definition --definition file://rendered.asl.json",
        _fields,
    ),
    Check(
        "RandomSeed and ResourceLimits.MaxRuntimeInSeconds are too new for createHyperParameterTuningJob",
        "the same, with each of them in the arguments of Tune",
        _younger_fields,
    ),
    Check(
        "The images are in the region, and anyone who may read ECR may read them",
        "aws ecr batch-get-image --registry-id <account of the region in template.yaml> "
        "--repository-name sagemaker-xgboost --image-ids imageTag=3.2-0",
        _images,
    ),
    Check("X-Ray is available in the region", "aws xray get-sampling-rules", _traces),
)

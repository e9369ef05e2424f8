"""The differences between SageMaker's kinds of resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.sagemaker.errors import ServiceError

Json = dict[str, Any]

TERMINAL = frozenset({"Completed", "Failed", "Stopped"})


@dataclass(frozen=True)
class Kind:
    """One kind of resource.

    `stem` is the prefix of its members (`TrainingJob` in `TrainingJobName`), `missing` and
    `duplicate` are AWS's error codes and texts, with placeholders {name} and {arn}; `no_job_to_stop` is
    the text of Stop where it has one of its own. Names that differ only in `any_case` are the same, and
    their ARNs are in lower case.
    """

    name: str
    stem: str
    arn_part: str
    label: str
    missing: tuple[str, str]
    duplicate: tuple[str, str]
    no_job_to_stop: str = ""
    start_field: str = ""
    end_field: str = ""
    event: str = ""
    log_group: str = ""
    any_case: bool = False

    @property
    def name_field(self) -> str:
        return f"{self.stem}Name"

    @property
    def arn_field(self) -> str:
        return f"{self.stem}Arn"

    @property
    def status_field(self) -> str:
        return f"{self.stem}Status"

    def key(self, name: str) -> str:
        """Under what the resource of that name is stored; also the last part of its ARN."""
        return name.lower() if self.any_case else name

    def error(self, text: tuple[str, str], name: str, arn: str) -> ServiceError:
        """The service's error for one of this kind's texts."""
        return ServiceError(text[0], text[1].format(name=name, arn=arn))


_NO_JOB = ("ValidationException", "Could not find requested job with name: {name}")
_NO_JOB_TO_STOP = "Could not find job to update with name: {name}"
_JOB_EXISTS = (
    "ResourceInUse",
    "Job name must be unique within an AWS account and region, "
    "and a job with this name already exists ({arn})",
)

PROCESSING = Kind(
    name="processing",
    stem="ProcessingJob",
    arn_part="processing-job",
    label="processing job",
    missing=_NO_JOB,
    no_job_to_stop=_NO_JOB_TO_STOP,
    duplicate=_JOB_EXISTS,
    start_field="ProcessingStartTime",
    end_field="ProcessingEndTime",
    event="SageMaker Processing Job State Change",
    log_group="/aws/sagemaker/ProcessingJobs",
)
TRAINING = Kind(
    name="training",
    stem="TrainingJob",
    arn_part="training-job",
    label="training job",
    missing=("ValidationException", "Requested resource not found."),
    duplicate=(
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region, "
        "and a training job with this name already exists ({arn})",
    ),
    start_field="TrainingStartTime",
    end_field="TrainingEndTime",
    event="SageMaker Training Job State Change",
    log_group="/aws/sagemaker/TrainingJobs",
)
TUNING = Kind(
    name="tuning",
    stem="HyperParameterTuningJob",
    arn_part="hyper-parameter-tuning-job",
    label="hyperparameter tuning job",
    missing=(
        "ResourceNotFound",
        "Amazon SageMaker can't find a tuning job called {name}. Type another name.",
    ),
    duplicate=(
        "ResourceInUse",
        "A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.",
    ),
    end_field="HyperParameterTuningEndTime",
    event="SageMaker HyperParameter Tuning Job State Change",
)
TRANSFORM = Kind(
    name="transform",
    stem="TransformJob",
    arn_part="transform-job",
    label="transform job",
    missing=_NO_JOB,
    no_job_to_stop=_NO_JOB_TO_STOP,
    duplicate=_JOB_EXISTS,
    start_field="TransformStartTime",
    end_field="TransformEndTime",
    event="SageMaker Transform Job State Change",
    log_group="/aws/sagemaker/TransformJobs",
)
MODEL = Kind(
    name="model",
    stem="Model",
    arn_part="model",
    label="model",
    missing=("ValidationException", 'Could not find model "{arn}".'),
    duplicate=("ValidationException", 'Cannot create already existing model "{arn}".'),
)
ENDPOINT_CONFIG = Kind(
    name="endpoint configuration",
    stem="EndpointConfig",
    arn_part="endpoint-config",
    label="endpoint configuration",
    missing=("ValidationException", 'Could not find endpoint configuration "{arn}".'),
    duplicate=("ValidationException", 'Cannot create already existing endpoint configuration "{arn}".'),
    event="SageMaker Endpoint Config State Change",
    any_case=True,
)
ENDPOINT = Kind(
    name="endpoint",
    stem="Endpoint",
    arn_part="endpoint",
    label="endpoint",
    missing=("ValidationException", 'Could not find endpoint "{arn}".'),
    duplicate=("ValidationException", 'Cannot create already existing endpoint "{arn}".'),
    event="SageMaker Endpoint State Change",
    log_group="/aws/sagemaker/Endpoints",
    any_case=True,
)
PACKAGE_GROUP = Kind(
    name="package group",
    stem="ModelPackageGroup",
    arn_part="model-package-group",
    label="model package group",
    missing=("ValidationException", "Model Package Group {arn} does not exist."),
    duplicate=("ValidationException", "Model Package Group already exists: {arn}"),
)
PACKAGE = Kind(
    name="package",
    stem="ModelPackage",
    arn_part="model-package",
    label="model package",
    missing=("ValidationException", "ModelPackage {arn} does not exist."),
    duplicate=("ValidationException", "Model Package already exists: {arn}"),
    event="SageMaker Model Package State Change",
)

JOBS = {kind.name: kind for kind in (PROCESSING, TRAINING, TUNING, TRANSFORM)}
KINDS = (*JOBS.values(), MODEL, ENDPOINT_CONFIG, ENDPOINT, PACKAGE_GROUP, PACKAGE)


def instances_of(definition: Json) -> Json:
    """What a training job, or the trials of a tuning job, run on: a `ResourceConfig` under either name."""
    config: Json = definition.get("ResourceConfig") or definition.get(
        "HyperParameterTuningResourceConfig", {}
    )
    return config


def cluster_of(kind: Kind, fields: Json) -> Json:
    """The `InstanceType` and `InstanceCount` of a job; for a tuning job, those of each trial."""
    if kind is PROCESSING:
        cluster: Json = fields["ProcessingResources"]["ClusterConfig"]
        return cluster
    if kind is TRANSFORM:
        resources: Json = fields["TransformResources"]
        return resources
    return instances_of(fields["TrainingJobDefinition"] if kind is TUNING else fields)


def memory_of(instance_type: str) -> int | None:
    """Bytes of memory of an instance type's size class; None for an unknown family."""
    _, family, size = [*instance_type.split("."), "", ""][:3]
    gib_of_large = {"t": 8, "m": 8, "c": 4, "r": 16}.get(family[:1])
    if gib_of_large is None or not family[1:2].isdigit():
        return None
    steps = {"medium": 0.5, "large": 1.0, "xlarge": 2.0}.get(size)
    if steps is None:
        count = size.removesuffix("xlarge")
        steps = 2.0 * int(count) if count.isdigit() else 0.0
    return int(gib_of_large * steps * 2**30) or None

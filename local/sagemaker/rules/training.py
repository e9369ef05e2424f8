"""Training and tuning jobs."""

from __future__ import annotations

import itertools
import re

import regex

from local.sagemaker.engines.images import Image
from local.sagemaker.engines.search_space import Space, read_ranges
from local.sagemaker.errors import invalid, unsupported
from local.sagemaker.kinds import Json, instances_of
from local.sagemaker.patterns import java_pattern
from local.sagemaker.rules.common import image_of, instances, no_two, refuse
from local.sagemaker.store import Store
from local.sagemaker.training import names_script

# As the SDK's `distribution` sets them: sagemaker_mpi_enabled, sagemaker_torch_distributed_enabled, ...
_DISTRIBUTION = re.compile(r"sagemaker_(?!toolkit_native_launcher)\w+_enabled")
_NO_METRIC = (
    "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
    "definitions."
)
_OWN_METRICS = (
    "You can't override the metric definitions for Amazon SageMaker algorithms. "
    "Please retry the request without specifying metric definitions."
)


def training_rules(request: Json, store: Store) -> None:
    """CreateTrainingJob."""
    for name in (
        "TrainingJobName",
        "AlgorithmSpecification",
        "RoleArn",
        "OutputDataConfig",
        "ResourceConfig",
    ):
        refuse(name not in request, invalid(f"{name} is required."))
    _training_definition(request, request.get("HyperParameters", {}), store)


def _training_definition(definition: Json, hyperparameters: Json, store: Store) -> None:
    algorithm = definition["AlgorithmSpecification"]
    refuse("TrainingImage" not in algorithm, unsupported("An algorithm without TrainingImage is"))
    image = image_of(algorithm["TrainingImage"], store)
    refuse(algorithm.get("MetricDefinitions") and image.algorithm, invalid(_OWN_METRICS))
    _metrics(algorithm.get("MetricDefinitions", []))
    _program(definition, hyperparameters, image)
    instances(instances_of(definition))
    _spot(definition)
    channels = definition.get("InputDataConfig", [])
    no_two("ChannelName", (each["ChannelName"] for each in channels))
    for channel in channels:
        source = channel["DataSource"].get("S3DataSource")
        refuse(source is None, unsupported(f"The data source of channel '{channel['ChannelName']}' is"))


def _program(definition: Json, hyperparameters: Json, image: Image) -> None:
    """What runs is the request's own entrypoint, a script, or the algorithm that the image is known for."""
    algorithm, checkpoints = definition["AlgorithmSpecification"], definition.get("CheckpointConfig")
    path = checkpoints["LocalPath"] if checkpoints else "/opt/ml/"
    inside = path.startswith("/opt/ml/") and ".." not in path.split("/")
    refuse(not inside, unsupported(f"CheckpointConfig.LocalPath {path} is"))
    if "ContainerEntrypoint" in algorithm:
        return
    alone = "ContainerArguments" in algorithm
    refuse(alone, unsupported("AlgorithmSpecification.ContainerArguments without ContainerEntrypoint is"))
    refuse(image.script is None, unsupported(f"Training with the image {image.repository} is"))
    if image.algorithm and not names_script(definition):
        refuse(checkpoints, unsupported("CheckpointConfig of the built-in algorithm is"))
    distributed = [
        name for name, value in hyperparameters.items() if _DISTRIBUTION.fullmatch(name) and value == "true"
    ]
    refuse(distributed, unsupported(f"Distributed training ({', '.join(distributed)}) is"))


def _metrics(definitions: list[Json]) -> None:
    for each in definitions:
        try:
            groups = java_pattern(each["Regex"]).groups
        except regex.error as error:
            raise invalid(f"Invalid metric definition {each['Name']}: {error}") from None
        text = f"Invalid metric definition {each['Name']}: its regular expression has no capturing group"
        refuse(groups < 1, invalid(text))


def _spot(definition: Json) -> None:
    condition = definition.get("StoppingCondition", {})
    wait = condition.get("MaxWaitTimeInSeconds")
    if not definition.get("EnableManagedSpotTraining"):
        text = (
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
        )
        refuse(wait is not None, invalid(text))
        return
    too_short = wait is None or wait < condition.get("MaxRuntimeInSeconds", 86400)
    text = (
        "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
    )
    refuse(too_short, invalid(text))
    too_long = "CheckpointConfig" not in definition and wait is not None and wait > 3600
    text = "Invalid MaxWaitTimeInSeconds. Without checkpoints it must be less than or equal to 3600"
    refuse(too_long, invalid(text))


def tuning_rules(request: Json, store: Store) -> None:
    """CreateHyperParameterTuningJob."""
    config = request["HyperParameterTuningJobConfig"]
    refuse("TrainingJobDefinition" not in request, invalid("TrainingJobDefinition is required."))
    definition = request["TrainingJobDefinition"]
    _training_definition(definition, definition.get("StaticHyperParameters", {}), store)
    refuse(
        "HyperParameterTuningJobObjective" not in config,
        invalid("HyperParameterTuningJobObjective is required."),
    )
    algorithm = definition["AlgorithmSpecification"]
    measured = [each["Name"] for each in algorithm.get("MetricDefinitions", [])]
    own = image_of(algorithm["TrainingImage"], store).algorithm
    objective = config["HyperParameterTuningJobObjective"]["MetricName"]
    refuse(not own and objective not in measured, invalid(_NO_METRIC))
    _tuning_limits(config)
    _tuning_ranges(config, definition.get("StaticHyperParameters", {}))


def _tuning_limits(config: Json) -> None:
    limits = config["ResourceLimits"]
    refuse(
        "MaxNumberOfTrainingJobs" not in limits,
        unsupported("A tuning job without MaxNumberOfTrainingJobs is"),
    )
    parallel, number = limits["MaxParallelTrainingJobs"], limits["MaxNumberOfTrainingJobs"]
    text = (
        f"The value of MaxParallelTrainingJobs, [{parallel}] must be equal or less than "
        f"the value of MaxNumberOfTrainingJobs, [{number}]."
    )
    refuse(parallel > number, invalid(text))


def _tuning_ranges(config: Json, static: Json) -> None:
    ranges = config.get("ParameterRanges", {})
    names = [
        each["Name"] for each in itertools.chain.from_iterable(ranges.values()) if isinstance(each, dict)
    ]
    refuse(not names, invalid("ParameterRanges must have at least one hyperparameter range."))
    both = [name for name in names if name in static]
    text = f"Hyperparameters can't be both static and tunable: [{', '.join(both)}]."
    refuse(both, invalid(text))
    try:
        points = Space(tuple(read_ranges(ranges))).size
    except ValueError as error:
        raise invalid(str(error)) from None
    categorical = set(ranges) <= {"CategoricalParameterRanges"}
    refuse(
        config["Strategy"] == "Grid" and not categorical,
        invalid("Only categorical hyperparameters are supported when the strategy is Grid."),
    )
    wanted = config["ResourceLimits"]["MaxNumberOfTrainingJobs"]
    text = (
        "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
        f"combinations for the provided ranges [{points}] must be equal or greater than the value of "
        f"MaxNumberOfJobs, [{wanted}]. Provide additional ranges."
    )
    refuse(points < wanted, invalid(text))

"""The settings of a run's jobs, and the objects that it made, from its history."""

from collections.abc import Iterator, Mapping
from typing import Any

from common import lenient
from reporting.gathering import Run
from reporting.history import Call
from shared.addresses import key_in_bucket, uri_of
from shared.text import number, one_line

Rows = list[tuple[str, str]]
_KINDS = {"ContinuousParameterRanges": "", "IntegerParameterRanges": "whole numbers "}


def settings(run: Run) -> Rows:
    """What the jobs of a run were told, as names and values. Steps that it reused have none."""
    found: dict[str, str] = {}
    for call in run.history.calls:
        if call.job:
            found |= dict(_settings_of(call))
    limit = run.report.limit
    gate = run.report.evaluation.gate_metric
    rows = [*found.items(), ("Gate", f"{gate.label} {limit}" if gate and limit else "")]
    return [(name, one_line(value, 600)) for name, value in rows if value]


def digests(run: Run) -> Rows:
    """The digests that the run's steps passed on."""
    names = {"upload": "Upload", "trained_model": "Trained model", "model": "Model", "onnx": "Model as ONNX"}
    found = run.report.evaluation.digests
    return [
        (names.get(name, name.replace("_", " ").capitalize()), one_line(of, 100))
        for name, of in found.items()
    ]


def objects(run: Run) -> Rows:
    """The addresses of what the run read and wrote."""
    evaluated = bool(run.report.evaluation.metrics)
    search, upload = run.search, run.ending.upload
    rows = [
        ("Upload", uri_of(upload) if upload else ""),
        ("Files of the run", uri_of(f"runs/{run.run_id}/")),
        ("Model", uri_of(f"models/{run.run_id}/model.tar.gz") if evaluated else ""),
        ("Evaluation", uri_of(f"models/{run.run_id}/evaluation.json") if evaluated else ""),
        ("Predictions", run.report.predictions_uri),
        ("Search", search.name if search else ""),
        ("Model package", lenient.text(run.facts.get("model_package_arn"))),
        ("Execution", run.execution_arn),
    ]
    return [(name, one_line(value, 1100)) for name, value in rows if value]


def _settings_of(call: Call) -> Iterator[tuple[str, str]]:
    request = call.request
    if code := _code(request):
        yield "Code", code
    if "HyperParameterTuningJobConfig" in request:
        yield from _search_settings(request)
        return
    resources = lenient.mapping(request.get("ProcessingResources"))
    instances = resources.get("ClusterConfig") or request.get("TransformResources")
    image = lenient.mapping(request.get("AppSpecification")).get("ImageUri")
    yield call.state, ", ".join(filter(None, [_instances(instances), _image(image)]))


def _search_settings(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    config = lenient.mapping(request["HyperParameterTuningJobConfig"])
    training = lenient.mapping(request.get("TrainingJobDefinition"))
    limits = lenient.mapping(config.get("ResourceLimits"))
    objective = lenient.mapping(config.get("HyperParameterTuningJobObjective"))
    yield (
        "Search",
        f"{config.get('Strategy')}, at most {limits.get('MaxNumberOfTrainingJobs')} trials, "
        f"{limits.get('MaxParallelTrainingJobs')} at a time, to {str(objective.get('Type')).lower()} "
        f"{objective.get('MetricName')}",
    )
    yield "Ranges", ", ".join(_ranges(lenient.mapping(config.get("ParameterRanges"))))
    fixed = lenient.mapping(training.get("StaticHyperParameters"))
    shown = [f"{name} = {value}" for name, value in fixed.items() if not name.startswith("sagemaker_")]
    yield "Fixed hyperparameters", ", ".join(shown)
    image = lenient.mapping(training.get("AlgorithmSpecification")).get("TrainingImage")
    spot = "on spot instances" if training.get("EnableManagedSpotTraining") else ""
    instances = _instances(training.get("ResourceConfig"))
    yield "Each trial", ", ".join(filter(None, [instances, _image(image), spot]))


def _ranges(ranges: Mapping[str, Any]) -> Iterator[str]:
    for kind, words in _KINDS.items():
        for each in map(lenient.mapping, lenient.items(ranges.get(kind))):
            scaling = lenient.text(each.get("ScalingType"))
            ending = f" ({scaling.lower()})" if scaling not in ("", "Auto", "Linear") else ""
            yield f"{each.get('Name')} {words}{each.get('MinValue')} to {each.get('MaxValue')}{ending}"
    for each in map(lenient.mapping, lenient.items(ranges.get("CategoricalParameterRanges"))):
        yield f"{each.get('Name')} one of {', '.join(map(str, lenient.items(each.get('Values'))))}"


def _instances(resources: object) -> str:
    found = lenient.mapping(resources)
    return f"{number(found.get('InstanceCount'))} {found.get('InstanceType')}" if found else ""


def _image(uri: object) -> str:
    return lenient.text(uri).rpartition("/")[2]


def _code(request: Mapping[str, Any]) -> str:
    """The folder of the deployed code that a processing job ran."""
    for each in map(lenient.mapping, lenient.items(request.get("ProcessingInputs"))):
        if each.get("InputName") == "code":
            return key_in_bucket(lenient.mapping(each.get("S3Input")).get("S3Uri", "")).rpartition("/")[0]
    return ""

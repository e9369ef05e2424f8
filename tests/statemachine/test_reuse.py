"""A step that a finished run did with the same content is not done again; whatever else happens, it is."""

from functools import cache
from typing import Any

import pytest

from local.embedded.task_errors import TaskError
from tests.statemachine.machine import (
    BUCKET,
    CHAMPION,
    DIGESTS,
    EVALUATION_DIGEST,
    GOOD_DAY,
    PREPARED_DIGEST,
    SCRIPT_MODE,
    Answer,
    failed_job,
    looked_up,
    raised,
    redrive,
    run,
    workload,
)
from tests.statemachine.test_branches import CHAMPION_FOUND, GOOD_DAY_STATES
from tests.statemachine.test_digests import option

EARLIER = "mpg-20261119-0800-89abcdef"
FOLDER = f"s3://{BUCKET}/runs/{EARLIER}"
MODEL = f"{FOLDER}/tuning/best/output/model.tar.gz"
PREPARED = looked_up(
    "preprocess", found={"uri": f"{FOLDER}/prepared", "digest": PREPARED_DIGEST, "run_id": EARLIER}
)
TUNED = looked_up(
    "tune",
    found={
        "uri": MODEL,
        "digest": DIGESTS["trained_model"],
        "training_job": "earlier-trial",
        "trials": 7,
        "best_hyperparameters": {"alpha": "5"},
        "run_id": EARLIER,
    },
)
EVALUATED = looked_up(
    "evaluate",
    model_digest=DIGESTS["trained_model"],
    found={"uri": f"{FOLDER}/evaluation", "digest": EVALUATION_DIGEST, "run_id": EARLIER},
)
LOOKUPS: dict[str, Answer] = {
    "Find prepared data": PREPARED,
    "Find tuned model": TUNED,
    "Find evaluation": EVALUATED,
}
JOBS = {
    "Find prepared data": {"Preprocess", "Read prepared digest"},
    "Find tuned model": {"Tune", "Find best model"},
    "Find evaluation": {"Evaluate", "Read evaluation digest"},
}
STEPS = dict(zip(JOBS, ("preprocess", "tune", "evaluate"), strict=True))


def inputs(request: Any) -> dict[str, str]:
    """The addresses of a processing job's inputs."""
    return {given["InputName"]: given["S3Input"]["S3Uri"] for given in request["ProcessingInputs"]}


@pytest.mark.parametrize(
    "hits", [[], *[[name] for name in LOOKUPS], list(LOOKUPS)[:2], list(LOOKUPS)[1:], list(LOOKUPS)], ids=str
)
def test_each_step_is_reused_by_itself(hits: list[str]) -> None:
    ending = run({name: LOOKUPS[name] for name in hits})
    skipped = {state for name in hits for state in JOBS[name]}
    assert ending.states == [*(s for s in GOOD_DAY_STATES if s not in skipped), "Model approved"]
    assert ending.output["reused"] == {STEPS[name]: EARLIER for name in hits}


def test_with_everything_reused_only_the_predictions_are_new() -> None:
    ending = run(LOOKUPS)
    own = ending.output["run_id"]
    kept = ending.arguments("Keep model")["Payload"]
    assert (kept["run_id"], kept["evaluation_uri"]) == (own, f"{FOLDER}/evaluation")
    assert kept["evaluation_digest"] == EVALUATION_DIGEST
    predict = ending.arguments("Batch transform")
    source = predict["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    assert source == f"{FOLDER}/prepared/batch/batch.manifest"
    assert f"/runs/{own}/predictions" in predict["TransformOutput"]["S3OutputPath"]
    assert f"/models/{own}/" in ending.arguments("Create model")["PrimaryContainer"]["ModelDataUrl"]
    metadata = ending.arguments("Register model")["CustomerMetadataProperties"]
    assert (metadata["run_id"], metadata["training_job"]) == (own, "earlier-trial")
    assert (ending.output["trials"], ending.output["best_hyperparameters"]) == (7, {"alpha": "5"})


def test_tuning_reads_the_reused_data_at_their_place_and_writes_to_its_own() -> None:
    ending = run({"Find prepared data": PREPARED})
    definition = ending.arguments("Tune")["TrainingJobDefinition"]
    sources = [channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in definition["InputDataConfig"]]
    assert sources == [f"{FOLDER}/prepared/{name}/{name}.manifest" for name in ("train", "validation")]
    assert ending.output["run_id"] in definition["OutputDataConfig"]["S3OutputPath"]


def test_the_evaluation_reads_the_reused_data_and_model() -> None:
    request = run({**CHAMPION_FOUND, "Find prepared data": PREPARED, "Find tuned model": TUNED}).arguments(
        "Evaluate"
    )
    assert inputs(request)["prepared"] == f"{FOLDER}/prepared/"
    assert inputs(request)["model"] == MODEL.removesuffix("model.tar.gz")
    assert option(request, "--prepared-digest") == PREPARED_DIGEST
    assert option(request, "--champion-arn") == CHAMPION


def test_the_decision_and_the_mail_say_what_was_reused() -> None:
    ending = run({"Find tuned model": TUNED})
    assert ending.arguments("Ask for approval")["Payload"]["reused"] == {"tune": EARLIER}
    assert run().output["reused"] == {}


BROKEN: dict[str, Answer] = {
    "function down": raised("RuntimeError", "boom"),
    "function unreachable": TaskError("Lambda.ServiceException", "{}"),
    "throttled": TaskError("Lambda.TooManyRequestsException", "{}"),
    "no answer in time": TaskError("States.Timeout", ""),
    "nothing known": {"StatusCode": 200, "Payload": {}},
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("name", LOOKUPS)
def test_a_search_that_fails_is_a_search_that_found_nothing(name: str, broken: str) -> None:
    ending = run({name: BROKEN[broken]})
    assert ending.states == [*GOOD_DAY_STATES, "Model approved"]
    assert STEPS[name] not in ending.arguments("Remember results")["Payload"]["keys"]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_run_whose_results_cannot_be_remembered_goes_on(broken: str) -> None:
    ending = run({"Remember results": BROKEN[broken]})
    assert ending.states == [*GOOD_DAY_STATES, "Model approved"]


def test_what_is_remembered_is_where_it_lies() -> None:
    ending = run()
    own = f"s3://{BUCKET}/runs/{ending.output['run_id']}"
    payload = ending.arguments("Remember results")["Payload"]
    assert payload["keys"] == {step: f"key of {step}" for step in STEPS.values()}
    assert payload["results"] == {
        "preprocess": {"uri": f"{own}/prepared", "digest": PREPARED_DIGEST},
        "tune": {
            "uri": f"s3://{BUCKET}/runs/x/tuning/best/output/model.tar.gz",
            "digest": DIGESTS["trained_model"],
            "training_job": "mpg-20261120-1200-00000000-0-0-004-0a1b2c3d",
            "trials": 10,
            "best_hyperparameters": {"alpha": "0.2", "lambda": "3.1", "eta": "0.2"},
        },
        "evaluate": {"uri": f"{own}/evaluation", "digest": EVALUATION_DIGEST},
    }


def test_a_run_that_ends_before_its_model_is_registered_is_not_remembered() -> None:
    for failing in ("Batch transform", "Register model"):
        assert "Remember results" not in run({failing: failed_job("broken")}).states


@pytest.mark.parametrize("reuse", [True, False])
def test_an_upload_can_switch_it_off(reuse: bool) -> None:
    ending = run(checked(reuse=reuse))
    assert [ending.arguments(name)["Payload"]["reuse"] for name in LOOKUPS] == [reuse] * 3


def contents(answers: dict[str, Answer] | None = None, **substitutions: str) -> dict[str, Any]:
    """All that the searches of a run ask for, by state."""
    ending = run(answers, substitutions=substitutions)
    return {name: ending.arguments(name)["Payload"]["content"] for name in LOOKUPS}


@cache
def usual_contents() -> dict[str, Any]:
    return contents()


def differing(answers: dict[str, Answer] | None = None, **substitutions: str) -> set[str]:
    """The steps that ask for something else than they usually do."""
    before, after = usual_contents(), contents(answers, **substitutions)
    return {STEPS[name] for name in LOOKUPS if before[name] != after[name]}


def checked(**changes: Any) -> dict[str, Answer]:
    usual: Any = GOOD_DAY["Check upload"]
    return {"Check upload": {"StatusCode": 200, "Payload": {**usual["Payload"], **changes}}}


def loaded(**changes: Any) -> dict[str, Answer]:
    return {"Load workload": workload(**changes)}


@pytest.mark.parametrize(
    ("answers", "substitutions", "steps"),
    [
        (checked(digest=f"sha256:{9:064x}"), {}, {"preprocess"}),
        (checked(suffix=".txt"), {}, {"preprocess"}),
        ({}, {"XGBoostImageUri": "newer"}, {"preprocess", "tune", "evaluate"}),
        (loaded(preprocessing={"image": "scikit-learn"}), {}, {"preprocess"}),
        ({}, {"TrainingInstanceCount": "2"}, {"preprocess"}),
        ({}, {"MaxTrials": "11"}, {"tune"}),
        ({}, {"MaxParallelTrials": "2"}, {"tune"}),
        (loaded(digests={"evaluate": "new"}), {}, {"evaluate"}),
        (loaded(digests={"preprocess": "new"}), {}, {"preprocess"}),
        (loaded(training={"hyperparameters": {"eta": "0.1"}}), {}, {"tune"}),
        (loaded(tuning={"early_stopping": "Off"}), {}, {"tune"}),
        (loaded(gate={"metric": "mae"}), {}, {"evaluate"}),
        (loaded(onnx={"tolerance": 0.5}), {}, {"evaluate"}),
        (CHAMPION_FOUND, {}, {"evaluate"}),
        ({}, {"DriftSignificance": "0.01"}, {"evaluate"}),
        ({}, {"DriftDistance": "0.2"}, {"evaluate"}),
        # No content: limits, decisions, machines, places, times.
        (loaded(gate={"at_most": 1.0}), {}, set()),
        (loaded(gate={"at_most": None, "at_least": 0.5}), {}, set()),
        ({}, {"ApprovalTimeoutSeconds": "86400"}, set()),
        ({}, {"ProcessingInstanceType": "ml.m5.4xlarge", "TrainingInstanceType": "ml.c5.large"}, set()),
        ({}, {"ScikitLearnImageUri": "newer"}, set()),
        ({}, {"ProcessingInstanceCount": "2", "TransformInstanceCount": "2"}, set()),
        (loaded(training={"instance_type": "ml.m5.4xlarge", "checkpoints": True}), {}, set()),
        ({}, {"UseSpot": "true"}, set()),
        ({}, {"CodePrefix": "code/another/"}, set()),
        ({}, {"KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1"}, set()),
    ],
)
def test_a_search_asks_for_content_and_nothing_else(
    answers: dict[str, Answer], substitutions: dict[str, str], steps: set[str]
) -> None:
    assert differing(answers, **substitutions) == steps


def test_a_champion_counts_with_its_digest_and_whether_it_is_still_there() -> None:
    found = contents(CHAMPION_FOUND)["Find evaluation"]["champion"]
    assert found == {"package": CHAMPION, "digest": f"sha256:{7:064x}", "found": True}
    gone = contents({**CHAMPION_FOUND, "Find champion model": {"KeyCount": 0}})["Find evaluation"]["champion"]
    assert gone == {**found, "found": False}
    containers = {"Containers": [{"ModelDataUrl": f"s3://{BUCKET}/models/old/model.tar.gz"}]}
    by_hand = {"ModelPackageArn": CHAMPION, "InferenceSpecification": containers}
    unknown = contents({**CHAMPION_FOUND, "Read champion": by_hand})["Find evaluation"]["champion"]
    assert unknown == {"package": CHAMPION, "found": True}


def test_the_name_of_the_upload_does_not_matter_but_the_program_does() -> None:
    assert contents({"Load workload": SCRIPT_MODE})["Find tuned model"]["program"] == "auto_mpg/train.py"
    assert not any("incoming" in str(content) for content in contents().values())


def test_a_redrive_keeps_what_was_reused() -> None:
    run({"Find prepared data": PREPARED, "Tune": failed_job("no capacity")})
    ending = redrive()
    assert ending.output["reused"] == {"preprocess": EARLIER}
    assert inputs(ending.arguments("Evaluate"))["prepared"] == f"{FOLDER}/prepared/"


def test_a_run_that_reuses_remembers_only_where_its_own_results_lie() -> None:
    payload = run({"Find prepared data": PREPARED}).arguments("Remember results")["Payload"]
    assert payload["reused"] == {"preprocess": EARLIER}
    assert payload["results"]["preprocess"]["uri"] == f"{FOLDER}/prepared"

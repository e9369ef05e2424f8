"""Every way through a release. Whatever fails, what was live stays live."""

from typing import Any

import pytest

from local.embedded.task_errors import TaskError
from tests.statemachine.machine import EVALUATION_DIGEST, EXECUTION_NAME, Answer, Ending, raised
from tests.statemachine.release import (
    APPROVED_AT,
    BEFORE,
    CONDITION_FAILED,
    ENDPOINT,
    FIRST,
    INSTANCE,
    LIVE_ON_INSTANCES,
    OLDER,
    OLDEST,
    PACKAGE,
    RUN_ID,
    SECOND,
    TWO_INSTANCES,
    described,
    endpoints,
    event,
    live,
    package,
    release,
    status_of,
    tasks_after,
    workload,
)

ON_INSTANCES: dict[str, Answer] = {
    **SECOND,
    "Read live model": LIVE_ON_INSTANCES,
    "Read endpoint": described(BEFORE, serverless=False),
}
REFUSED = TaskError("SageMaker.SageMakerException", "no")
SMOKE = raised("SmokeTestFailed", "Row 3 of the smoke test: the endpoint answered otherwise.")
LAST = ["Record ending", "Free endpoint", "How did it end?"]


def was_set_back(ending: Ending) -> bool:
    """Whether nothing but the configuration and model of the failed release was deleted."""
    return (
        ending.error == "ReleaseFailed"
        and "Mark live" not in ending.states
        and ending.arguments("Delete new configuration")["EndpointConfigName"]
        == ending.arguments("Create endpoint configuration")["EndpointConfigName"]
        and "Delete old configuration" not in ending.states
    )


# What goes live


COST_TAGS = [
    {"Key": "mpg:stack", "Value": "mpg-pipeline"},
    {"Key": "mpg:workload", "Value": "auto_mpg"},
    {"Key": "mpg:step", "Value": "serve"},
]


def test_the_first_model_of_a_workload_gets_an_endpoint() -> None:
    ending = release()
    assert ending.output["outcome"] == "live"
    assert ending.arguments("Create endpoint") == {
        "EndpointName": ENDPOINT,
        "EndpointConfigName": ending.arguments("Create endpoint configuration")["EndpointConfigName"],
        "Tags": COST_TAGS,
    }
    tagged = [*COST_TAGS, {"Key": "mpg:run", "Value": RUN_ID}]
    for state in ("Create model", "Create endpoint configuration"):
        assert ending.arguments(state)["Tags"] == tagged
    assert "Update endpoint" not in ending.states
    assert status_of(ending) == ("live", "")


def test_a_later_model_updates_the_endpoint_and_the_one_before_stays() -> None:
    ending = release(SECOND)
    assert ending.output["outcome"] == "live"
    item = ending.arguments("Mark live")["Item"]
    assert (item["version"]["N"], item["approved_at"]["S"]) == ("7", APPROVED_AT)
    assert item["previous"]["M"]["config_name"]["S"] == BEFORE
    assert "pk" not in item["previous"]["M"]
    assert item["smoke_test"]["M"]["rows"]["N"] == "20"
    assert float(item["seconds"]["N"]) > 0
    assert "Delete old configuration" not in ending.states


def test_the_one_before_the_one_before_is_deleted() -> None:
    item = live()
    item["Item"]["previous"] = {"M": live(OLDEST)["Item"]}
    ending = release({**SECOND, "Read live model": item})
    assert ending.arguments("Delete old configuration") == {"EndpointConfigName": f"{ENDPOINT}-v5-00000000"}
    assert ending.arguments("Delete old model") == {"ModelName": f"{ENDPOINT}-v5-11111111"}
    assert "previous" not in ending.arguments("Mark live")["Item"]["previous"]["M"]


def test_a_model_that_is_released_again_keeps_the_one_before_it() -> None:
    item = live(PACKAGE)
    item["Item"]["previous"] = {"M": live(OLDER)["Item"]}
    ending = release({**SECOND, "Read live model": item}, started_by=event("request"))
    assert ending.arguments("Mark live")["Item"]["previous"]["M"]["version"]["N"] == "6"
    assert ending.arguments("Delete old configuration") == {"EndpointConfigName": f"{ENDPOINT}-v7-00000000"}


def test_the_model_runs_as_its_role_with_the_packages_container_and_the_workloads_environment() -> None:
    request = release({"Load workload": workload(environment={"B": "2"})}).arguments("Create model")
    assert request["ExecutionRoleArn"].endswith("ServingRole")
    assert request["PrimaryContainer"]["ModelDataUrl"].endswith(f"/models/{RUN_ID}/model.tar.gz")
    assert request["PrimaryContainer"]["Environment"] == {
        "MODEL_FILES_DIGEST": "sha256:4",
        "A": "1",
        "B": "2",
    }
    assert request["ModelName"].startswith(f"{ENDPOINT}-v7-")
    assert len(request["ModelName"]) == len(f"{ENDPOINT}-v7-01234567")


@pytest.mark.parametrize(("kind", "isolated"), [({}, False), (INSTANCE, True)])
def test_only_a_model_on_instances_is_isolated(kind: dict[str, str], isolated: bool) -> None:
    assert release(substitutions=kind).arguments("Create model")["EnableNetworkIsolation"] is isolated


def variant(ending: Ending) -> dict[str, Any]:
    [found] = ending.arguments("Create endpoint configuration")["ProductionVariants"]
    return dict(found)


def test_a_serverless_endpoint_has_memory_and_concurrency_and_nothing_that_it_does_not_take() -> None:
    ending = release(substitutions={"KmsKeyArn": "arn:key", "EndpointDataCapturePercent": "10"})
    assert variant(ending)["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert ending.arguments("Create endpoint configuration").keys() == {
        "EndpointConfigName",
        "ProductionVariants",
        "Tags",
    }
    assert {"Set error alarm", "Register scalable target"}.isdisjoint(ending.states)


def test_a_workload_may_ask_for_memory_or_an_instance_type() -> None:
    asked = {"Load workload": workload(memory_mb=4096, instance_type="ml.c5.large")}
    assert variant(release(asked))["ServerlessConfig"]["MemorySizeInMB"] == 4096
    assert variant(release(asked, substitutions=INSTANCE))["InstanceType"] == "ml.c5.large"


def test_an_endpoint_on_instances_is_encrypted_captured_watched_and_scales() -> None:
    ending = release(
        substitutions={**TWO_INSTANCES, "KmsKeyArn": "arn:key", "EndpointDataCapturePercent": "10"}
    )
    request = ending.arguments("Create endpoint configuration")
    assert request["KmsKeyId"] == request["DataCaptureConfig"]["KmsKeyId"] == "arn:key"
    assert request["DataCaptureConfig"]["DestinationS3Uri"].endswith("/captured/auto_mpg")
    assert variant(ending)["InitialInstanceCount"] == 2
    assert ending.arguments("Set error alarm")["AlarmName"] == f"{ENDPOINT}-errors"
    target = ending.arguments("Register scalable target")
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (
        f"endpoint/{ENDPOINT}/variant/live",
        2,
        4,
    )
    policy = ending.arguments("Set scaling policy")["TargetTrackingScalingPolicyConfiguration"]
    assert policy["TargetValue"] == 1000


def test_two_instances_are_updated_with_a_canary_that_alarms_end() -> None:
    request = release(ON_INSTANCES, substitutions=TWO_INSTANCES).arguments("Update endpoint")
    traffic = request["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert (traffic["Type"], traffic["CanarySize"]) == ("CANARY", {"Type": "INSTANCE_COUNT", "Value": 1})
    alarms = request["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert alarms == [{"AlarmName": f"{ENDPOINT}-errors"}, {"AlarmName": f"{ENDPOINT}-latency"}]
    assert request["RetainAllVariantProperties"]


def test_one_instance_is_updated_at_once() -> None:
    request = release(ON_INSTANCES, substitutions=INSTANCE).arguments("Update endpoint")
    assert request.keys() == {"EndpointName", "EndpointConfigName"}


def test_a_rollback_is_at_once_because_the_alarms_may_be_about_what_is_live() -> None:
    ending = release(ON_INSTANCES, substitutions=TWO_INSTANCES, started_by=event("rollback"))
    assert "DeploymentConfig" not in ending.arguments("Update endpoint")


def test_autoscaling_pauses_while_the_instance_type_changes() -> None:
    asked = {**ON_INSTANCES, "Load workload": workload(instance_type="ml.c5.large")}
    missing = TaskError("ApplicationAutoScaling.ObjectNotFoundException", "no target")
    answers: list[Answer] = [{}, missing]
    for answer in answers:
        ending = release({**asked, "Pause autoscaling": answer}, substitutions=INSTANCE)
        assert ending.output["outcome"] == "live"
        assert "Register scalable target" in tasks_after(ending, "Pause autoscaling")
    assert "Pause autoscaling" not in release(ON_INSTANCES, substitutions=INSTANCE).states


def test_a_model_stays_live_although_it_cannot_scale_and_the_mail_gets_a_warning() -> None:
    ending = release({"Set scaling policy": TaskError("X", "not allowed")}, substitutions=INSTANCE)
    assert ending.output["outcome"] == "live"
    assert "not allowed" in ending.output["warnings"][0]


def test_without_rows_there_is_no_smoke_test_and_a_warning() -> None:
    ending = release(
        {"Check artifact": {"Payload": {"has_smoke_test": False, "onnx_digest": "", "warnings": ["none"]}}}
    )
    assert (ending.output["outcome"], ending.output["warnings"]) == ("live", ["none"])
    assert "Smoke test" not in ending.states
    assert "smoke_test" not in ending.arguments("Mark live")["Item"]


def test_the_functions_get_what_they_check() -> None:
    ending = release()
    assert ending.arguments("Check artifact")["Payload"]["evaluation_digest"] == EVALUATION_DIGEST
    assert ending.arguments("Smoke test")["Payload"] == {
        "endpoint_name": ENDPOINT,
        "endpoint_type": "serverless",
        "run_id": RUN_ID,
        "evaluation_digest": EVALUATION_DIGEST,
    }


# What does not


def test_an_event_that_comes_twice_releases_once() -> None:
    ending = release({"Claim package": CONDITION_FAILED})
    assert ending.output == {"outcome": "already_processed"}
    assert ending.states == ["Read package", "Claim package", "Already processed"]


def test_a_claim_gives_way_to_a_later_approval_of_the_package_and_to_who_asks() -> None:
    assert "approved_at < :approved_at" in release().arguments("Claim package")["ConditionExpression"]
    for reason in ("rollback", "request"):
        assert "ConditionExpression" not in release(started_by=event(reason)).arguments("Claim package")
    assert "ConditionExpression" in release(started_by=event("sweep")).arguments("Claim package")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (package(ModelApprovalStatus="Rejected"), "The package is not approved, but Rejected."),
        (package(CustomerMetadataProperties={}), "This pipeline did not register the package."),
        (package(InferenceSpecification={"Containers": [{}]}), "This pipeline did not register the package."),
        (
            package(ModelPackageGroupName="mpg-pipeline--another"),
            "This pipeline did not register the package.",
        ),
    ],
)
def test_a_package_that_is_not_an_approved_one_of_ours_is_not_released(found: Any, why: str) -> None:
    ending = release({"Read package": found})
    assert (ending.status, status_of(ending)) == ("SUCCEEDED", ("not_released", why))
    assert ending.states[3:] == [*LAST, "Release ended"]


def test_nothing_is_released_while_releases_are_off() -> None:
    ending = release(substitutions={"EndpointType": "none"})
    assert status_of(ending)[0] == "not_released"
    assert "Claim endpoint" not in ending.states


def test_a_late_event_does_not_replace_a_newer_approval_but_a_rollback_does() -> None:
    newer = live(PACKAGE.removesuffix("7") + "8", approved_at="2026-11-21T00:00:00.000Z")
    ending = release({**SECOND, "Read live model": newer})
    assert (ending.status, status_of(ending)[0]) == ("SUCCEEDED", "superseded")
    assert "Create model" not in ending.states
    back = release({**SECOND, "Read live model": newer}, started_by=event("rollback"))
    assert back.output["outcome"] == "live"


def test_a_model_that_is_live_already_is_not_released_again() -> None:
    ending = release({**SECOND, "Read live model": live(PACKAGE, approved_at=APPROVED_AT)})
    assert (ending.output["outcome"], status_of(ending)[0]) == ("already_live", "live")


def test_a_changed_artifact_is_refused_before_anything_is_created() -> None:
    ending = release({**SECOND, "Check artifact": raised("ArtifactRefused", "model.tar.gz was changed")})
    assert (ending.error, ending.cause) == ("ReleaseFailed", "model.tar.gz was changed")
    assert "Create model" not in ending.states


# One at a time


def test_a_release_waits_for_the_one_before() -> None:
    ending = release({"Claim endpoint": [CONDITION_FAILED, CONDITION_FAILED, {}]})
    assert ending.states.count("Wait for other release") == 2
    assert ending.output["outcome"] == "live"


def test_of_two_approvals_the_older_one_finds_the_newer_one_live_after_its_wait() -> None:
    newer = live(PACKAGE.removesuffix("7") + "8", approved_at="2026-11-21T00:00:00.000Z")
    ending = release({"Claim endpoint": [CONDITION_FAILED, {}], "Read live model": newer})
    assert status_of(ending)[0] == "superseded"


def test_a_release_that_was_stopped_loses_its_turn() -> None:
    gone = TaskError("Sfn.ExecutionDoesNotExistException", "gone")
    for answer in ({"Status": "ABORTED"}, gone):
        ending = release({"Claim endpoint": [CONDITION_FAILED, {}], "Describe other release": answer})
        assert ending.output["outcome"] == "live"
        condition = ending.arguments("Remove dead claim")["ExpressionAttributeValues"]
        assert condition == {":holder": {"S": "arn:other"}}


def test_a_turn_that_ended_meanwhile_is_taken() -> None:
    ending = release({"Claim endpoint": [CONDITION_FAILED, {}], "Read other release": {}})
    assert "Describe other release" not in ending.states
    ending = release(
        {
            "Claim endpoint": [CONDITION_FAILED, {}],
            "Describe other release": {"Status": "FAILED"},
            "Remove dead claim": CONDITION_FAILED,
        }
    )
    assert ending.output["outcome"] == "live"


def test_only_its_own_turn_is_given_up() -> None:
    ending = release({"Free endpoint": CONDITION_FAILED})
    assert ending.output["outcome"] == "live"
    assert EXECUTION_NAME in ending.arguments("Free endpoint")["ExpressionAttributeValues"][":me"]["S"]


# Endpoints that are not simply in service


@pytest.mark.parametrize("status", ["Creating", "Updating", "Deleting", "SystemUpdating", "RollingBack"])
def test_an_endpoint_that_is_at_work_is_waited_for(status: str) -> None:
    ending = release({**SECOND, "Find endpoint": [endpoints(status), endpoints("InService")]})
    assert ending.states.count("Wait until it settles") == 1
    assert ending.output["outcome"] == "live"


def test_an_endpoint_that_failed_is_deleted_and_created_anew() -> None:
    answers = [endpoints("Failed"), endpoints("Deleting"), {"Endpoints": []}]
    ending = release({"Find endpoint": answers})
    assert ending.calls[[call.state for call in ending.calls].index("Delete failed endpoint")]
    assert "Create endpoint" in ending.states


def test_an_empty_page_of_endpoints_is_not_the_last_one() -> None:
    ending = release(
        {**SECOND, "Find endpoint": [{"Endpoints": [], "NextToken": "n"}, endpoints("InService")]}
    )
    assert ending.arguments("Find endpoint", 1)["NextToken"] == "n"
    assert "Update endpoint" in ending.states


@pytest.mark.parametrize("kind", [{}, INSTANCE])
def test_an_endpoint_of_another_type_is_left_alone_with_what_to_do(kind: dict[str, str]) -> None:
    other = described(BEFORE, serverless=bool(kind))
    ending = release({**SECOND, "Read endpoint": other}, substitutions=kind)
    assert was_set_back(ending)
    assert "Delete the endpoint" in str(ending.cause)
    assert {"Update endpoint", "Restore endpoint", "Delete new endpoint"}.isdisjoint(ending.states)


# What was live stays live


@pytest.mark.parametrize(
    "state",
    ["Create endpoint configuration", "Find endpoint", "Read endpoint"],
)
def test_an_error_before_the_update_changes_nothing(state: str) -> None:
    ending = release({**SECOND, state: REFUSED})
    assert ending.error == "ReleaseFailed"
    assert ending.cause == f"{state}: SageMaker.SageMakerException no"
    assert {"Update endpoint", "Restore endpoint", "Mark live"}.isdisjoint(ending.states)
    assert "Delete new model" in ending.states
    assert status_of(ending)[0] == "failed"


@pytest.mark.parametrize(
    "state", ["Load workload", "Claim endpoint", "Read live model", "Check artifact", "Create model"]
)
def test_an_error_before_anything_was_created_only_ends_the_release(state: str) -> None:
    ending = release({**SECOND, state: REFUSED})
    assert (ending.error, ending.states[-1]) == ("ReleaseFailed", "Release failed")
    assert {"Delete new model", "Mark live"}.isdisjoint(ending.states)


def test_an_update_that_sagemaker_took_back_has_its_reason() -> None:
    back = described(BEFORE, FailureReason="The container ran out of memory")
    ending = release({**SECOND, "Describe endpoint": [described(BEFORE, "Updating"), back]})
    assert was_set_back(ending)
    assert ending.cause == "The container ran out of memory"
    assert "Restore endpoint" not in ending.states


def test_an_update_whose_answer_was_lost_goes_on() -> None:
    ending = release({**SECOND, "Update endpoint": REFUSED})
    assert (ending.output["outcome"], ending.output["why"]) == ("live", "")


def test_an_update_that_was_refused_is_a_failure_with_its_reason() -> None:
    ending = release({**SECOND, "Update endpoint": REFUSED, "Describe endpoint": described(BEFORE)})
    assert was_set_back(ending)
    assert ending.cause == "Update endpoint: SageMaker.SageMakerException no"


def test_an_endpoint_that_never_comes_into_service_is_set_back() -> None:
    ending = release(
        {
            **SECOND,
            "Describe endpoint": described("new", "Updating"),
            "Read endpoint to restore": [described("new"), described(BEFORE)],
        },
        substitutions={"EndpointTimeoutSeconds": "0.2"},
    )
    assert was_set_back(ending)
    assert str(ending.cause).startswith("The endpoint was still Updating after")
    assert ending.arguments("Restore endpoint") == {"EndpointName": ENDPOINT, "EndpointConfigName": BEFORE}


def test_a_failed_smoke_test_sets_the_endpoint_back() -> None:
    ending = release(
        {
            **SECOND,
            "Smoke test": SMOKE,
            "Read endpoint to restore": [described("new"), described("new", "Updating"), described(BEFORE)],
        }
    )
    assert was_set_back(ending)
    assert ending.cause == "Row 3 of the smoke test: the endpoint answered otherwise."
    assert ending.arguments("Restore endpoint")["EndpointConfigName"] == BEFORE
    assert status_of(ending) == ("failed", ending.cause)


def test_what_is_live_by_the_table_comes_back_even_if_the_endpoint_had_something_else() -> None:
    ending = release(
        {
            **SECOND,
            "Read endpoint": described("unproven"),
            "Smoke test": SMOKE,
            "Read endpoint to restore": [described("new"), described(BEFORE)],
        }
    )
    assert ending.arguments("Restore endpoint")["EndpointConfigName"] == BEFORE


def test_autoscaling_is_set_up_again_after_a_failure_on_instances() -> None:
    ending = release({**ON_INSTANCES, "Smoke test": SMOKE}, substitutions=INSTANCE)
    assert was_set_back(ending)
    assert "Set scaling policy" in ending.states


def test_the_first_endpoint_is_deleted_if_it_fails() -> None:
    ending = release({"Smoke test": SMOKE})
    assert was_set_back(ending)
    assert ending.arguments("Delete new endpoint") == {"EndpointName": ENDPOINT}


def test_an_endpoint_that_could_not_be_created_is_a_failure() -> None:
    failed = described("new", "Failed", FailureReason="no capacity")
    ending = release({"Describe endpoint": [described("new", "Creating"), failed]})
    assert (was_set_back(ending), ending.cause) == (True, "no capacity")


@pytest.mark.parametrize("state", ["Delete new endpoint", "Delete new configuration", "Delete new model"])
def test_what_cannot_be_deleted_does_not_hide_why_the_release_failed(state: str) -> None:
    ending = release({"Smoke test": SMOKE, state: REFUSED})
    assert (ending.error, status_of(ending)[0]) == ("ReleaseFailed", "failed")
    assert str(ending.cause).startswith("Row 3")


@pytest.mark.parametrize("state", ["Delete old configuration", "Delete old model"])
def test_what_is_old_and_cannot_be_deleted_does_no_harm(state: str) -> None:
    item = live()
    item["Item"]["previous"] = {"M": live(OLDEST)["Item"]}
    assert release({**SECOND, "Read live model": item, state: REFUSED}).output["outcome"] == "live"


@pytest.mark.parametrize(
    "answers",
    [
        {"Read endpoint to restore": REFUSED},
        {"Read endpoint to restore": described("new", "Failed")},
        {"Read endpoint to restore": described("new"), "Restore endpoint": REFUSED},
    ],
)
def test_an_endpoint_that_cannot_be_set_back_is_said_so_and_keeps_its_model(
    answers: dict[str, Answer],
) -> None:
    ending = release(
        {**SECOND, "Smoke test": SMOKE, **answers}, substitutions={"EndpointTimeoutSeconds": "0.2"}
    )
    assert "could not be set back" in str(ending.cause)
    assert {"Delete new configuration", "Delete new model"}.isdisjoint(ending.states)


def test_a_record_that_cannot_be_written_leaves_the_execution_to_a_redrive() -> None:
    ending = release({**SECOND, "Mark live": TaskError("DynamoDB.DynamoDBException", "down")})
    assert (ending.status, ending.error) == ("FAILED", "DynamoDB.DynamoDBException")


# Retries


@pytest.mark.parametrize(
    "state",
    [
        "Read package",
        "Claim package",
        "Load workload",
        "Check artifact",
        "Create model",
        "Create endpoint configuration",
        "Find endpoint",
        "Update endpoint",
        "Describe endpoint",
        "Smoke test",
        "Mark live",
        "Record ending",
    ],
)
def test_a_transient_fault_is_retried(state: str) -> None:
    ending = release({**SECOND, state: [REFUSED, REFUSED, {**FIRST, **SECOND}[state]]})
    assert ending.output["outcome"] == "live"
    assert sum(call.state == state for call in ending.calls) == 3


def test_each_attempt_to_create_has_a_name_of_its_own() -> None:
    ending = release({"Create model": [REFUSED, {}], "Create endpoint configuration": [REFUSED, {}]})
    names = [ending.arguments("Create model", attempt)["ModelName"] for attempt in (0, 1)]
    assert names[0] != names[1]
    assert variant(ending)["ModelName"] == names[1]
    assert ending.output["outcome"] == "live"


@pytest.mark.parametrize(
    ("state", "error", "attempts"),
    [
        ("Check artifact", raised("ArtifactRefused", "changed"), 1),
        ("Smoke test", SMOKE, 1),
        ("Check artifact", TaskError("Lambda.TooManyRequestsException", "busy"), 241),
        ("Update endpoint", REFUSED, 6),
        ("Create endpoint", TaskError("SageMaker.ResourceLimitExceededException", "quota"), 11),
    ],
)
def test_it_gives_up_after_a_sensible_number_of_attempts(state: str, error: TaskError, attempts: int) -> None:
    ending = release({**(SECOND if state == "Update endpoint" else {}), state: error})
    assert sum(call.state == state for call in ending.calls) == attempts

"""Every event in `events/` has the right effect on the built function, in AWS's own runtime.

The functions are what `sam build` made, run by the Lambda Runtime Interface Emulator and the Python runtime
client, against the embedded AWS. Linux only: elsewhere the emulator does not run and this file is not collected.
"""

import hashlib
import io
import json
import re
import time
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from common.drift import Drift, FeatureTest
from common.monitored import Monitored
from tests.builds import shared_build
from tests.conftest import ROOT, Aws, eventually
from tests.evaluation import DRAWN, EVALUATION
from tests.integration.lambda_runtime import Build, Runtime, interpreter, run

Json = dict[str, Any]
ROLE = "arn:aws:iam::000000000000:role/test"
FUNCTIONS = (
    "check_upload", "find_result", "keep_model", "remember_results", "request_approval", "review", "resume_pipeline", "notify", "stop_jobs", "sweep",
    "check_release", "smoke_test", "report_release", "retrain",
    "plan_monitoring", "report_monitoring", "notify_monitoring",
    "list_models", "download_model", "catalogue", "issue_catalogue_link",
)  # fmt: skip
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
MODEL_RUN = "mpg-20260301-0925-3fa85f64"
EVENTS = sorted((ROOT / "events").glob("*.json"))
SAMPLE = (ROOT / "data" / "auto-mpg.csv").read_bytes()
BROKEN = SAMPLE.replace(b",130", b",many", 1)
# Keeps the token of an execution that waits for it, and runs until the item is gone.
KEEPER = """
import boto3, time

def handler(event, context):
    table = boto3.resource("dynamodb").Table(event["table"])
    key = {"pk": "waiting#" + event["execution_arn"]}
    table.put_item(Item={**key, "token": event["task_token"]})
    while "Item" in table.get_item(Key=key):
        time.sleep(0.05)
"""


@dataclass(frozen=True)
class Stage:
    """The embedded AWS with everything that the functions need, and the functions."""

    aws: Aws
    bucket: str
    table: str
    group: str
    machine: str
    releases: str
    looks: str
    topics: tuple[str, str]
    runtimes: Callable[[str], Runtime]

    def invoke(self, name: str, changes: dict[str, str] | None = None) -> Any:
        """Send an event to its function; `changes` are replacements of texts in the event."""
        text = (ROOT / "events" / f"{name}.json").read_text(encoding="utf-8")
        for old, new in {"mpg-pipeline-bucket": self.bucket, **(changes or {})}.items():
            text = text.replace(old, new)
        return self.runtimes(name.partition("-")[0]).invoke(json.loads(text))

    def upload(self, key: str, body: bytes) -> str:
        return str(self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"])

    def keep(self, run_id: str, champion: bool) -> str:
        """Store a model and an evaluation where a run's are kept; returns the digest of the evaluation."""
        digests = {**EVALUATION["digests"], "model": digest(b"a model")}
        changes = {"digests": digests} if champion else {"digests": digests, "champion": None}
        evaluation = json.dumps({**EVALUATION, **changes}).encode()
        for name, body in (("model.tar.gz", b"a model"), ("evaluation.json", evaluation)):
            place = {"Bucket": self.bucket, "Key": f"models/{run_id}/{name}"}
            self.aws.client("s3").put_object(**place, Body=body, ChecksumAlgorithm="SHA256")
        return digest(evaluation)

    def mails(self) -> list[Json]:
        with urllib.request.urlopen(f"{self.aws.pages}mails", timeout=60) as answer:
            mails: list[Json] = json.load(answer)
        names = [topic.rpartition(":")[2] for topic in self.topics]
        return [mail for mail in mails if mail["topic"] in names and "Confirm" not in mail["subject"]]

    def wait_for_a_token(self, **request: Any) -> tuple[str, str]:
        """Start an execution that waits after such a request; returns its ARN and the token."""
        with self.scheduled(**request) as waiting:
            return waiting

    @contextmanager
    def scheduled(self, **request: Any) -> Iterator[tuple[str, str]]:
        """The same; while entered, the function that received the request is running."""
        states = self.aws.client("stepfunctions")
        started = states.start_execution(stateMachineArn=self.machine, input=json.dumps(request))
        arn = str(started["executionArn"])
        table = cast(Any, self.aws.client("dynamodb"))
        key = {"pk": {"S": f"waiting#{arn}"}}
        item = eventually(lambda: table.get_item(TableName=self.table, Key=key).get("Item"))
        try:
            yield arn, str(item["token"]["S"])
        finally:
            table.delete_item(TableName=self.table, Key=key)

    def end(self, name: str) -> dict[str, str]:
        """Let an execution end as an event reports; returns the change that makes the event about it."""
        states = self.aws.client("stepfunctions")
        detail = json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))["detail"]
        if detail["status"] == "TIMED_OUT":
            arn = self._time_out(detail["input"])
        else:
            arn, token = self.wait_for_a_token(**json.loads(detail["input"]))
            failure = {field: detail[field] for field in ("error", "cause") if detail[field]}
            if detail["status"] == "SUCCEEDED":
                states.send_task_success(taskToken=token, output=detail["output"])
            elif detail["status"] == "FAILED":
                states.send_task_failure(taskToken=token, **failure)
            else:
                states.stop_execution(executionArn=arn, **failure)
        status = eventually(lambda: _status_after_end(states, arn))
        assert status == detail["status"]
        return {detail["executionArn"]: arn}

    def _time_out(self, execution_input: str) -> str:
        states, wait = self.aws.client("stepfunctions"), {"Type": "Wait", "Seconds": 10_000, "End": True}
        definition = {"QueryLanguage": "JSONata", "StartAt": "Wait", "States": {"Wait": wait}}
        made = states.create_state_machine(
            name=f"{self.table}-short",
            definition=json.dumps({**definition, "TimeoutSeconds": 1}),
            roleArn=ROLE,
        )
        arn = made["stateMachineArn"]
        return str(states.start_execution(stateMachineArn=arn, input=execution_input)["executionArn"])

    def release(self, execution_arn: str, *, live: bool) -> None:
        """Store what the state machine records about a release."""
        package = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline--auto-mpg/7"
        texts = {"workload": "auto_mpg", "package_arn": package, "execution_arn": execution_arn}
        items = [{"pk": f"release#{package}", "status": "started", **texts}]
        if live:
            endpoint = {"endpoint_type": "serverless", "endpoint_name": "mpg-pipeline-auto-mpg"}
            items.append({"pk": "live#auto_mpg", "since": "2026-03-01T09:46:00Z", **texts, **endpoint})
        for item in items:
            stored = {name: {"S": text} for name, text in item.items()}
            self.aws.client("dynamodb").put_item(
                TableName=self.table, Item=cast(Any, {**stored, "version": {"N": "7"}})
            )

    def register(
        self, evaluation_digest: str, group: str = "", status: str = "PendingManualApproval", **told: str
    ) -> str:
        """A new model package, which by default waits for approval."""
        made = self.aws.client("sagemaker").create_model_package(
            ModelPackageGroupName=group or self.group,
            ModelApprovalStatus=status,
            CustomerMetadataProperties={"evaluation_digest": evaluation_digest, **told},
            InferenceSpecification={
                "Containers": [
                    {"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"}
                ],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )
        return str(made["ModelPackageArn"])

    def start_job(self, name: str) -> str:
        """A processing job that runs until somebody stops it."""
        self.aws.client("s3").put_object(
            Bucket=self.bucket, Key="code/main.py", Body=b"import time\ntime.sleep(600)\n"
        )
        code = {
            "S3Uri": f"s3://{self.bucket}/code/",
            "LocalPath": "/opt/ml/processing/input/code",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        cluster = {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 5}
        self.aws.client("sagemaker").create_processing_job(
            ProcessingJobName=name,
            RoleArn=ROLE,
            ProcessingResources={"ClusterConfig": cluster},
            AppSpecification={
                "ImageUri": SKLEARN,
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
            },
            ProcessingInputs=[{"InputName": "code", "S3Input": code}],
        )
        return name

    def package(self, arn: str) -> Json:
        return cast(Json, self.aws.client("sagemaker").describe_model_package(ModelPackageName=arn))


@dataclass(frozen=True)
class Asked:
    """A request for approval that was mailed."""

    package_arn: str
    execution_arn: str
    changes: dict[str, str]


@pytest.fixture(scope="module")
def built() -> Build:
    return Build(shared_build().template.parent)


def _status_after_end(states: Any, arn: str) -> str | None:
    status: str = states.describe_execution(executionArn=arn)["status"]
    return None if status == "RUNNING" else status


@pytest.fixture(scope="module")
def stage(aws: Aws, built: Build, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    logs = tmp_path_factory.mktemp("logs")
    made = _resources(aws)
    environment = {**aws.environment, **_environment(made)}
    started: dict[str, Runtime] = {}
    with ExitStack() as stack:
        warm = stack.enter_context(interpreter(logs))

        def runtime(module: str) -> Runtime:
            if module not in started:
                log = logs / f"{module}.log"
                started[module] = stack.enter_context(run(built, module, environment, log, warm))
            return started[module]

        yield Stage(aws=aws, runtimes=runtime, **made)


@pytest.fixture
def asked(stage: Stage) -> Asked:
    return ask(stage)


def ask(stage: Stage, event: str = "request_approval-first-model") -> Asked:
    """Let the function ask, and take the link from the mail."""
    given = json.loads((ROOT / "events" / f"{event}.json").read_text(encoding="utf-8"))
    package_arn = stage.register(stage.keep(given["run_id"], champion=event.endswith("champion")))
    with stage.scheduled(**{**given, "model_package_arn": package_arn}) as (execution_arn, token):
        changes = {
            given["task_token"]: token,
            given["execution_arn"]: execution_arn,
            given["model_package_arn"]: package_arn,
        }
        assert stage.invoke(event, changes) == {"asked": True}
    (link_id,) = re.findall(r"/review/([\w-]{43})$", stage.mails()[-1]["text"], re.MULTILINE)
    mailed = json.loads((ROOT / "events" / "review-get.json").read_text(encoding="utf-8"))["rawPath"]
    return Asked(package_arn, execution_arn, {**changes, mailed: f"/review/{link_id}"})


def test_there_is_a_test_for_every_event_and_an_event_for_every_function() -> None:
    tested = set(
        re.findall(
            r'"((?:catalogue|check|download|find|issue|keep|list|plan|remember|report|request|review|resume|retrain|notify|smoke|stop|sweep)[\w]*-[\w-]+)"',
            Path(__file__).read_text(),
        )
    )
    assert tested == {path.stem for path in EVENTS}
    assert {path.stem.partition("-")[0] for path in EVENTS} == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("event", "checked", "rows"),
    # The last line of a head may be truncated, so it does not count.
    [("check_upload-accepted", "whole", 398), ("check_upload-head", "head", 397)],
)
def test_a_good_upload_is_kept(stage: Stage, event: str, checked: str, rows: int) -> None:
    given = json.loads((ROOT / "events" / f"{event}.json").read_text(encoding="utf-8"))
    version = stage.upload(given["key"], SAMPLE)
    answer = stage.invoke(event, {given["version_id"]: version})
    kept = f"runs/{given['run_id']}/input/upload.csv"
    digest = f"sha256:{hashlib.sha256(SAMPLE).hexdigest()}"
    assert answer == {
        "workload": "auto_mpg",
        "suffix": ".csv",
        "upload_key": kept,
        "digest": digest,
        "rows": rows,
        "labelled": rows,
        "checked": checked,
        "reuse": True,
    }
    body = stage.aws.client("s3").get_object(Bucket=stage.bucket, Key=kept)["Body"].read()
    assert body == SAMPLE


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("check_upload-refused", r"incoming/broken\.csv, line \d+: horsepower is .*expected"),
        (
            "check_upload-too-large",
            r"incoming/huge\.csv: the file has 20,000,000,000 bytes; at most 10,737,418,240",
        ),
        (
            "check_upload-unknown-workload",
            r'incoming/flowers/petals\.csv: there is no workload "flowers"\. Upload .*\.csv to incoming/ or ',
        ),
    ],
)
def test_a_bad_upload_is_refused_under_the_name_that_the_state_machine_knows(
    stage: Stage, event: str, message: str
) -> None:
    given = json.loads((ROOT / "events" / f"{event}.json").read_text(encoding="utf-8"))
    version = stage.upload(given["key"], BROKEN)
    answer = stage.invoke(event, {given["version_id"]: version})
    assert answer["errorType"] == "UploadRefused"
    assert re.match(message, answer["errorMessage"])


def test_what_was_evaluated_is_kept_and_what_was_changed_is_refused(stage: Stage) -> None:
    given = json.loads((ROOT / "events" / "keep_model-evaluated.json").read_text(encoding="utf-8"))
    digests = {"model": f"sha256:{hashlib.sha256(b'a model').hexdigest()}"}
    kept = {**EVALUATION, "digests": digests}
    evaluation = (json.dumps({**kept, **DRAWN}, indent=2) + "\n").encode()
    folder = f"runs/{given['run_id']}/evaluation"
    stage.upload(f"{folder}/evaluation.json", evaluation)
    stage.upload(f"{folder}/model.tar.gz", b"a model")
    uri = f"s3://{stage.bucket}/{folder}"
    scheduled = {**given, "evaluation_uri": uri, "evaluation_digest": digest(evaluation)}
    with stage.scheduled(**scheduled) as (arn, _):
        told = {given["evaluation_digest"]: digest(evaluation), given["execution_arn"]: arn}
        answer = stage.invoke("keep_model-evaluated", told)
        assert answer == {
            **kept,
            "champion": {**EVALUATION["champion"], "change": None},
            "drift": None,
            "batch_files": 1,
            "digests": {**digests, "evaluation": digest(evaluation)},
        }
        model = stage.aws.client("s3").get_object(
            Bucket=stage.bucket, Key=f"models/{given['run_id']}/model.tar.gz"
        )
        assert model["Body"].read() == b"a model"
        stage.upload(f"{folder}/model.tar.gz", b"another")
        refused = stage.invoke("keep_model-changed", told)
    assert refused["errorType"] == "ArtifactRefused"
    assert refused["errorMessage"].startswith(f"{folder}/model.tar.gz was changed")


def test_what_a_run_remembers_is_found_by_a_later_one(stage: Stage) -> None:
    summary = b'{"digests": {}}'
    given = json.loads((ROOT / "events" / "remember_results-prepared.json").read_text(encoding="utf-8"))
    stage.upload(f"runs/{given['run_id']}/prepared/summary.json", summary)
    prepared = {"uri": f"s3://{stage.bucket}/runs/{given['run_id']}/prepared", "digest": digest(summary)}
    unknown = stage.invoke("find_result-prepared")
    request = {
        **given,
        "started_at": datetime.now(UTC).isoformat(),
        "keys": {"preprocess": unknown["key"]},
        "results": {"preprocess": prepared},
    }
    with stage.scheduled(**request) as (arn, _):
        told = {
            given["execution_arn"]: arn,
            given["started_at"]: request["started_at"],
            given["keys"]["preprocess"]: unknown["key"],
            given["results"]["preprocess"]["digest"]: digest(summary),
        }
        assert stage.invoke("remember_results-prepared", told) == {"remembered": ["preprocess"]}
        found = stage.invoke("find_result-prepared")
    assert found == {**unknown, "found": {**prepared, "run_id": given["run_id"]}}


@pytest.mark.parametrize("event", ["request_approval-first-model", "request_approval-with-champion"])
def test_approvers_are_asked_by_mail(stage: Stage, event: str) -> None:
    before = len(stage.mails())
    asked = ask(stage, event)
    (mail,) = stage.mails()[before:]
    assert mail["subject"].startswith("Approve or reject: model mpg-")
    assert asked.package_arn in mail["text"]


def test_nobody_is_asked_because_of_a_forged_event(stage: Stage, asked: Asked) -> None:
    before = len(stage.mails())
    arn, _ = stage.wait_for_a_token()
    given = json.loads((ROOT / "events" / "request_approval-first-model.json").read_text(encoding="utf-8"))
    # The token is a real one, of another execution.
    answer = stage.invoke("request_approval-first-model", {**asked.changes, given["execution_arn"]: arn})
    assert (answer["errorType"], answer["errorMessage"]) == ("RequestNotScheduled", arn)
    assert len(stage.mails()) == before


def test_the_page_is_shown_and_nothing_changes(stage: Stage, asked: Asked) -> None:
    shown = stage.invoke("review-get", asked.changes)
    assert shown["statusCode"] == 200
    assert "A model waits for your decision" in shown["body"]
    head = stage.invoke("review-head", asked.changes)
    assert (head["statusCode"], head["body"]) == (200, "")
    assert stage.package(asked.package_arn)["ModelApprovalStatus"] == "PendingManualApproval"


def test_an_unknown_link_opens_nothing(stage: Stage) -> None:
    assert stage.invoke("review-unknown-link")["statusCode"] == 404


@pytest.mark.parametrize(
    ("event", "status"), [("review-post-undecided", 422), ("review-post-cross-site", 403)]
)
def test_a_request_that_decides_nothing_on_the_page_changes_nothing(
    stage: Stage, asked: Asked, event: str, status: int
) -> None:
    assert stage.invoke(event, asked.changes)["statusCode"] == status
    assert stage.package(asked.package_arn)["ModelApprovalStatus"] == "PendingManualApproval"


@pytest.mark.parametrize(
    ("posted", "changed", "decision"),
    [
        ("review-post-approve", "resume_pipeline-approved", "approved"),
        ("review-post-reject", "resume_pipeline-rejected", "rejected"),
    ],
)
def test_a_decision_on_the_page_resumes_the_execution_by_the_packages_event(
    stage: Stage, asked: Asked, posted: str, changed: str, decision: str
) -> None:
    assert stage.invoke(posted, asked.changes)["statusCode"] == 303
    assert stage.package(asked.package_arn)["ModelApprovalStatus"] == decision.capitalize()
    event = json.loads((ROOT / "events" / f"{changed}.json").read_text(encoding="utf-8"))
    package = {event["detail"]["ModelPackageArn"]: asked.package_arn}
    assert stage.invoke(changed, package) == {"settled": "resumed"}
    assert stage.invoke(changed, package) == {"settled": "already resumed"}
    states = stage.aws.client("stepfunctions")
    ended = eventually(
        lambda: (
            (found := states.describe_execution(executionArn=asked.execution_arn))["status"] != "RUNNING"
            and found
        )
    )
    output = json.loads(ended["output"])
    assert (output["decision"], output["reviewer"]) == (decision, "Ada Lovelace")


def test_a_pending_package_resumes_nothing(stage: Stage) -> None:
    assert stage.invoke("resume_pipeline-pending") == {"settled": "no decision"}


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ("notify-approved", "Approved: model mpg-"),
        ("notify-rejected", "Rejected: model mpg-"),
        ("notify-expired", "Expired: model mpg-"),
        ("notify-upload-refused", "Refused: incoming/cars 2026+spring.csv"),
        ("notify-too-many-runs", "Not started: incoming/cars 2026+spring.csv, too many runs today"),
        ("notify-model-quality-too-low", "Not good enough: no model"),
        ("notify-failed", "Failed: the run of incoming/cars 2026+spring.csv (preparing the data)"),
        ("notify-tuning-failed", "Failed: the run of incoming/cars 2026+spring.csv (tuning the model)"),
        ("notify-artifact-refused", "Failed: the run of incoming/cars 2026+spring.csv (a file was changed"),
        ("notify-nobody-to-ask", "Failed: the run of incoming/cars 2026+spring.csv (nobody to ask"),
        ("notify-quota-missing", "Failed: the run of incoming/cars 2026+spring.csv (a quota is missing)"),
        ("notify-timed-out", "Timed out: the run of"),
        ("notify-aborted", "Stopped: the run of"),
    ],
)
def test_an_end_is_reported_once(stage: Stage, event: str, subject: str) -> None:
    execution = stage.end(event)
    before = len(stage.mails())
    assert stage.invoke(event, execution) == {"mailed": True}
    assert stage.invoke(event, execution) == {"mailed": False}
    (mail,) = stage.mails()[before:]
    assert mail["subject"].startswith(subject)


def test_a_duplicate_upload_event_is_told_to_nobody(stage: Stage) -> None:
    before = len(stage.mails())
    processed = stage.end("notify-already-processed")
    assert stage.invoke("notify-already-processed", processed) == {"mailed": False}
    assert len(stage.mails()) == before


@pytest.mark.parametrize("event", ["stop_jobs-aborted", "stop_jobs-timed-out"])
def test_a_job_of_an_unsuccessful_run_is_stopped(stage: Stage, event: str) -> None:
    states, given = (
        stage.aws.client("stepfunctions"),
        json.loads((ROOT / "events" / f"{event}.json").read_text()),
    )
    arn, _ = stage.wait_for_a_token()
    started = states.describe_execution(executionArn=arn)["startDate"]
    job = stage.start_job(f"{run_id(arn, started)}-preprocess-0-0")
    changes = {
        given["detail"]["executionArn"]: arn,
        str(given["detail"]["startDate"]): str(int(started.timestamp() * 1000)),
    }
    assert stage.invoke(event, changes)["errorType"] == "NotEnded", "it runs"
    states.stop_execution(executionArn=arn)
    assert stage.invoke(event, changes) == {"stopped": [job]}
    assert stage.invoke(event, changes) == {"stopped": []}
    sagemaker = stage.aws.client("sagemaker")
    eventually(
        lambda: sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Stopped"
    )


def evaluated(stage: Stage, event: str) -> dict[str, str]:
    """Keep the run's model; returns the change that makes an event name its evaluation."""
    given = json.loads((ROOT / "events" / f"{event}.json").read_text(encoding="utf-8"))
    return {given["evaluation_digest"]: stage.keep(given["run_id"], champion=False)}


def test_a_model_that_is_the_approved_one_may_be_released(stage: Stage) -> None:
    changes = evaluated(stage, "check_release-approved")
    answer = stage.invoke("check_release-approved", changes)
    assert (answer["has_smoke_test"], len(answer["warnings"])) == (False, 1)
    assert stage.invoke("check_release-approved")["errorType"] == "ArtifactRefused"


def test_without_rows_an_endpoint_passes_no_smoke_test(stage: Stage) -> None:
    changes = evaluated(stage, "smoke_test-released")
    assert stage.invoke("smoke_test-released", changes)["errorType"] == "SmokeTestFailed"


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ("report_release-live", "Version 7 is live: auto_mpg"),
        ("report_release-superseded", "Version 7 was not released: auto_mpg"),
        ("report_release-failed", "Version 7 was not released: auto_mpg"),
        ("report_release-stopped", "Version 7 was not released: auto_mpg"),
    ],
)
def test_the_end_of_a_release_is_reported_once(stage: Stage, event: str, subject: str) -> None:
    execution = stage.end(event)
    (arn,) = execution.values()
    stage.release(arn, live=event.endswith("live"))
    before = len(stage.mails())
    assert stage.invoke(event, execution) == {"mailed": True}
    assert stage.invoke(event, execution) == {"mailed": False}
    assert [mail["subject"] for mail in stage.mails()[before:]] == [subject]


def test_approved_models_are_listed_and_downloaded_and_no_others(stage: Stage) -> None:
    group, run = f"{stage.group}-p--flowers", "mpg-20260301-0930-0123abcd"
    stage.aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    told = {"run_id": run, "model_digest": digest(b"a model")}
    evaluation = stage.keep(run, champion=False)
    approved = stage.register(evaluation, group, "Approved", **told)
    for _ in range(2):
        stage.register(evaluation, group, "Rejected", **told)
    for event in ("list_models-invoked", "list_models-by-url"):
        answer = stage.invoke(event)
        listed = json.loads(answer["body"]) if "body" in answer else answer
        [model] = listed["models"]
        assert (model["package_arn"], model["version"], model["problem"]) == (approved, 1, None)
        assert model["title"] == EVALUATION["title"]
    found = stage.invoke("download_model-native")
    with urllib.request.urlopen(found["url"], timeout=60) as answer:
        assert digest(answer.read()) == found["digest"] == model["formats"]["native"]["digest"]
    assert stage.invoke("download_model-not-approved") == {"error": "Version 2 of flowers is not approved."}


def test_a_link_opens_the_catalogue_until_it_is_revoked(stage: Stage) -> None:
    assert stage.invoke("catalogue-unknown-link")["statusCode"] == 404
    assert stage.invoke("catalogue-post")["statusCode"] == 405
    issued = stage.invoke("issue_catalogue_link-issue")
    event = json.loads((ROOT / "events" / "catalogue-list.json").read_text(encoding="utf-8"))
    link = {event["rawPath"].split("/")[2]: issued["url"].split("/")[-2]}
    answer = stage.invoke("catalogue-list", link)
    assert (answer["statusCode"], json.loads(answer["body"])["expires_at"]) == (200, issued["expires_at"])
    assert stage.invoke("issue_catalogue_link-revoke-all") == {"revoked": 1}
    assert stage.invoke("catalogue-list", link)["statusCode"] == 410


def test_the_sweep_reconciles_events_that_never_arrived(stage: Stage, asked: Asked) -> None:
    stage.aws.client("sagemaker").update_model_package(
        ModelPackageArn=asked.package_arn, ModelApprovalStatus="Approved"
    )
    orphaned, _ = stage.wait_for_a_token()
    states = stage.aws.client("stepfunctions")
    job = stage.start_job(
        f"{run_id(orphaned, states.describe_execution(executionArn=orphaned)['startDate'])}-evaluate-0-0"
    )
    states.stop_execution(executionArn=orphaned, error="StoppedByHand")
    before = len(stage.mails())
    done = stage.invoke("sweep-scheduled")
    assert (done["decision"], done["job"]) == (1, 1), done
    # Executions of other tests have ended here too, and no event reported them.
    mails = stage.mails()[before:]
    assert len(mails) == done["end"]
    assert [mail["subject"] for mail in mails if orphaned in mail["text"]] == [
        "Stopped: the run of an upload"
    ]
    waiting = states.describe_execution
    eventually(lambda: waiting(executionArn=asked.execution_arn)["status"] == "SUCCEEDED")
    assert stage.invoke("sweep-scheduled").keys() <= {"end"}
    # Nothing is reconciled twice. Executions of other tests may have ended since.
    eventually(lambda: stage.invoke("sweep-scheduled") == {})
    job_status = stage.aws.client("sagemaker").describe_processing_job(ProcessingJobName=job)
    assert job_status["ProcessingJobStatus"] in ("Stopping", "Stopped")


def test_a_retraining_is_asked_for_once(stage: Stage) -> None:
    version = stage.upload("incoming/auto_mpg/retrained.csv", SAMPLE)
    upload = {"bucket": stage.bucket, "key": "incoming/auto_mpg/retrained.csv", "version_id": version}
    upload |= {"uploaded_at": "2999-01-01T00:00:00Z", "uploaded_by": "ada", "source_ip": "192.0.2.7"}
    day = time.strftime("%Y-%m-%d", time.gmtime())
    stage.aws.client("dynamodb").put_item(
        TableName=stage.table,
        Item={
            "pk": {"S": f"accepted#auto_mpg#{day}"},
            "uploads": {"SS": [json.dumps({**upload, "size": len(SAMPLE)})]},
        },
    )
    started = stage.invoke("retrain-asked")["started"]
    states = stage.aws.client("stepfunctions")
    event = json.loads(states.describe_execution(executionArn=started)["input"])
    assert event["detail"]["object"]["version-id"] == version
    answers = stage.invoke("retrain-scheduled")
    assert answers["auto_mpg"]["started"] is None
    assert answers["digits"]["why_not"].startswith("There is no upload of digits")
    states.stop_execution(executionArn=started)


def test_what_a_model_saw_is_listed_for_its_next_look(stage: Stage) -> None:
    package = stage.register(stage.keep(MODEL_RUN, champion=False), run_id=MODEL_RUN, model_digest="sha256:3")
    live = {"pk": "live#auto_mpg", "package_arn": package, "since": "2026-03-01T09:46:00Z"}
    live |= {
        "workload": "auto_mpg",
        "endpoint_type": "function",
        "endpoint_name": "f",
        "execution_arn": "arn:r",
    }
    stored = {name: {"S": text} for name, text in live.items()} | {"version": {"N": "1"}}
    stage.aws.client("dynamodb").put_item(TableName=stage.table, Item=cast(Any, stored))
    uploaded = {"bucket": {"name": stage.bucket}, "object": {"key": "incoming/seen.csv"}}
    states = stage.aws.client("stepfunctions")
    with stage.scheduled(detail=uploaded) as (arn, _):
        run = run_id(arn, states.describe_execution(executionArn=arn)["startDate"])
        stage.upload(f"runs/{run}/predictions/batch.csv.out", b"1\n")
        given = json.loads((ROOT / "events" / "plan_monitoring-one-workload.json").read_text())
        soon = {given["until"]: (datetime.now(UTC) + timedelta(minutes=1)).isoformat()}
        [plan] = stage.invoke("plan_monitoring-one-workload", soon)["plans"]
        both = {
            each["workload"]: each["todo"]
            for each in stage.invoke("plan_monitoring-scheduled", soon)["plans"]
        }
    states.stop_execution(executionArn=arn)
    assert both == {"auto_mpg": "monitor", "digits": "no_model"}
    key = f"monitoring/auto_mpg/{given['monitoring_id']}/seen.manifest"
    assert (plan["seen_uri"], plan["model_package_arn"]) == (f"s3://{stage.bucket}/{key}", package)
    manifest = json.loads(stage.aws.client("s3").get_object(Bucket=stage.bucket, Key=key)["Body"].read())
    assert manifest == [{"prefix": f"s3://{stage.bucket}/"}, f"runs/{run}/predictions/batch.csv.out"]


def test_what_a_look_found_is_told_once_and_the_next_one_begins_there(stage: Stage) -> None:
    given = json.loads((ROOT / "events" / "report_monitoring-found.json").read_text(encoding="utf-8"))
    folder = f"monitoring/auto_mpg/{given['monitoring_id']}"
    package, plan = given["plan"]["model_package_arn"], given["plan"]
    weight = FeatureTest("weight", "kolmogorov_smirnov", 0.4, 0.1, drifted=True)
    drift = Drift(package, 300, 100, 0.001, (weight,))
    found = Monitored("auto_mpg", package, plan["since"], plan["until"], {"batch": 100}, drift)
    body = json.dumps(found.to_json()).encode()
    stage.upload(f"{folder}/monitoring.json", body)
    before = len(stage.mails())
    text = (
        json.dumps(given).replace("mpg-pipeline-bucket", stage.bucket).replace(given["digest"], digest(body))
    )
    with stage.scheduled(**json.loads(text)) as (arn, _):
        told = {given["digest"]: digest(body), given["execution_arn"]: arn}
        answers = [stage.invoke("report_monitoring-found", told) for _ in range(2)]
        stage.upload(f"{folder}/monitoring.json", body + b" ")
        assert stage.invoke("report_monitoring-found", told)["errorType"] == "FindingsRefused"
    assert [(answer["outcome"], answer["drifted"]) for answer in answers] == [("found", True)] * 2
    assert [mail["subject"] for mail in stage.mails()[before:]] == [f"Drift: {plan['title']}, version 7"]
    page = stage.aws.client("s3").get_object(Bucket=stage.bucket, Key=f"{folder}/report.html")
    assert b"weight" in page["Body"].read()
    later = json.loads((ROOT / "events" / "report_monitoring-nothing-new.json").read_text(encoding="utf-8"))
    text = json.dumps(later).replace("mpg-pipeline-bucket", stage.bucket)
    with stage.scheduled(**json.loads(text)) as (arn, _):
        answer = stage.invoke("report_monitoring-nothing-new", {later["execution_arn"]: arn})
    assert answer["outcome"] == "nothing_new"
    item = cast(Any, stage.aws.client("dynamodb")).get_item(
        TableName=stage.table, Key={"pk": {"S": "monitor#auto_mpg"}}
    )["Item"]
    assert (item["until"]["S"], item["drifted"]["L"]) == (later["plan"]["until"], [{"S": "weight"}])


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ("notify_monitoring-failed", "Monitoring failed"),
        ("notify_monitoring-timed-out", "Monitoring took too long"),
        ("notify_monitoring-aborted", "Monitoring was stopped"),
    ],
)
def test_the_end_of_a_look_that_failed_is_mailed_once(stage: Stage, event: str, subject: str) -> None:
    execution = stage.end(event)
    before = len(stage.mails())
    assert stage.invoke(event, execution) == {"mailed": True}
    assert stage.invoke(event, execution) == {"mailed": False}
    assert [mail["subject"] for mail in stage.mails()[before:]] == [subject]


def test_the_functions_do_not_mention_x_ray_where_there_is_none(stage: Stage) -> None:
    stage.invoke("notify-already-processed", stage.end("notify-already-processed"))
    log = stage.runtimes("notify").log
    assert '"message":"run ended"' in log
    assert not re.search(r"x-?ray|segment", log, re.IGNORECASE)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def run_id(execution_arn: str, started: datetime) -> str:
    """As the state machine creates it."""
    digest = hashlib.sha256(execution_arn.encode()).hexdigest()
    return f"mpg-{started.astimezone(UTC):%Y%m%d-%H%M}-{digest[:8]}"


def _resources(aws: Aws) -> Json:
    name = f"events-{uuid.uuid4().hex[:12]}"
    s3, sns = aws.client("s3"), aws.client("sns")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=name)
    for settings in (ROOT / "processing").glob("*/workload.json"):
        group = f"{name}-p--{settings.parent.name.replace('_', '-')}"
        aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    topics = tuple(str(sns.create_topic(Name=f"{name}-{kind}")["TopicArn"]) for kind in ("ask", "tell"))
    for topic in topics:
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="someone@example.com")
    return {
        "bucket": name,
        "table": name,
        "group": name,
        "topics": topics,
        "machine": _machine(aws, name),
        "releases": _machine(aws, f"{name}-release"),
        "looks": _machine(aws, f"{name}-monitor"),
    }


def _machine(aws: Aws, name: str) -> str:
    """A state machine that only waits for a task token's result."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("keeper.py", KEEPER)
    keeper = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=ROLE,
        Handler="keeper.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
    )
    fields = "'task_token': $states.context.Task.Token, 'execution_arn': $states.context.Execution.Id"
    payload = f"{{% $merge([$states.input, {{'table': '{name}', {fields}}}]) %}}"
    wait = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": keeper["FunctionArn"], "Payload": payload},
        "TimeoutSeconds": 120,
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Wait", "States": {"Wait": wait}}
    made = aws.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=ROLE
    )
    return str(made["stateMachineArn"])


def _environment(made: Json) -> dict[str, str]:
    ask_topic, tell_topic = made["topics"]
    return {
        "BUCKET_NAME": made["bucket"],
        "TABLE_NAME": made["table"],
        "APPROVAL_TOPIC_ARN": ask_topic,
        "NOTIFICATION_TOPIC_ARN": tell_topic,
        "REVIEW_URL": "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/",
        "APPROVAL_TIMEOUT_SECONDS": "600",
        "MAX_CHECKED_BYTES": "1000000",
        "KMS_KEY_ARN": "",
        "REMINDER_HOURS": "24",
        "MODEL_PACKAGE_GROUP_PREFIX": f"{made['group']}-p-",
        "CODE_PREFIX": "code/0123/",
        "REQUESTS_PER_MINUTE": "120",
        "LINK_DAYS": "7",
        "CATALOGUE_URL": "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/",
        "STATE_MACHINE_ARN": made["machine"],
        "DEFAULT_WORKLOAD": "auto_mpg",
        "RETRAIN_ON": "newest",
        "RETRAIN_ON_DRIFT": "false",
        "RETRAIN_AT_MOST_EVERY_DAYS": "1",
        "RETRAINS_ON_DRIFT": "",
        "RELEASE_MACHINE_ARN": made["releases"],
        "MONITOR_MACHINE_ARN": made["looks"],
        "REUSE": "true",
        "EXPIRE_RUNS_AFTER_DAYS": "90",
        "ENDPOINT_TYPE": "serverless",
        "POWERTOOLS_SERVICE_NAME": "mpg-pipeline",
        "POWERTOOLS_METRICS_NAMESPACE": "MpgPipeline",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }

"""Each function's role allows the calls that its code makes, and no other."""

import pytest

from tests.unit.template import code, iam
from tests.unit.template.stack import STACK, aws_arn, of_type, properties

from common.baseline_files import FILES  # isort: skip

BUCKET = "arn:aws:s3:::mpg-test-pipelinebucket-x1"
RUN = "mpg-20260131-0915-0123abcd"
TABLE = aws_arn("dynamodb", "table/mpg-test-PipelineTable-X1")
PACKAGE = aws_arn("sagemaker", f"model-package/{STACK}--some-workload/7")
GROUP = aws_arn("sagemaker", f"model-package-group/{STACK}--some-workload")
MACHINE = aws_arn("states", f"stateMachine:{STACK}")
EXECUTION = aws_arn("states", f"execution:{STACK}:0b1c_2d3e")
APPROVERS = aws_arn("sns", "mpg-test-ApprovalTopic-X1")
READERS = aws_arn("sns", "mpg-test-NotificationTopic-X1")
DEAD_LETTERS = aws_arn("sqs", "mpg-test-EventDeadLetters-X1")
PROCESSING_JOB = aws_arn("sagemaker", f"processing-job/{RUN}-preprocess-0-0")
TUNING_JOB = aws_arn("sagemaker", f"hyper-parameter-tuning-job/{RUN}-0")
LISTS_OF_JOBS = {
    (f"sagemaker:List{kind}s", "*") for kind in ("ProcessingJob", "HyperParameterTuningJob", "TransformJob")
}
TRANSFORM_JOB = aws_arn("sagemaker", f"transform-job/{RUN}-predict-0-2")
TRIAL = aws_arn("sagemaker", f"training-job/{RUN}-0-001-89abcdef")
# How a run's cost is read.
USED_BY_JOBS = {
    *LISTS_OF_JOBS,
    ("sagemaker:DescribeProcessingJob", PROCESSING_JOB),
    ("sagemaker:DescribeHyperParameterTuningJob", TUNING_JOB),
    ("sagemaker:ListTrainingJobsForHyperParameterTuningJob", TUNING_JOB),
    ("sagemaker:DescribeTrainingJob", TRIAL),
    ("sagemaker:DescribeTransformJob", TRANSFORM_JOB),
}
RELEASES = aws_arn("states", f"stateMachine:{STACK}-release")
RELEASE = aws_arn("states", f"execution:{STACK}-release:0b1c_2d3e")
MONITORING = aws_arn("states", f"execution:{STACK}-monitor:0b1c_2d3e")
ENDPOINT = aws_arn("sagemaker", f"endpoint/{STACK}-some-workload")
# How the sweep and the function that reports the end of a release set an endpoint back.
SETTING_BACK = {
    ("states:DescribeExecution", RELEASE),
    ("states:StartExecution", RELEASES),
    ("sagemaker:DescribeEndpoint", ENDPOINT),
    ("sagemaker:DeleteEndpoint", ENDPOINT),
    ("s3:GetObject", f"{BUCKET}/models/{RUN}/evaluation.json"),
}
STOPS_OF_JOBS = {
    ("sagemaker:StopProcessingJob", aws_arn("sagemaker", f"processing-job/{RUN}-evaluate-1-0")),
    ("sagemaker:StopHyperParameterTuningJob", TUNING_JOB),
    ("sagemaker:StopTransformJob", aws_arn("sagemaker", f"transform-job/{RUN}-predict-0-2")),
}
FINDING_MODELS = {
    ("sagemaker:ListModelPackageGroups", "*"),
    ("sagemaker:DescribeModelPackage", PACKAGE),
    ("s3:ListBucket", BUCKET),
    *(
        ("s3:GetObject", f"{BUCKET}/models/{RUN}/{name}")
        for name in ("evaluation.json", "model.onnx", "model.tar.gz")
    ),
}
LISTING_MODELS = {
    ("sagemaker:ListModelPackages", GROUP),
    ("sagemaker:ListModelPackages", PACKAGE),
    ("dynamodb:BatchGetItem", TABLE),
    ("s3:GetObject", f"{BUCKET}/code/0123/some_workload/workload.json"),
}

CALLS = {
    "CheckUpload": {
        ("dynamodb:GetItem", TABLE),
        # GetObject returns 404 instead of 403 for a missing key only if the caller may list.
        ("s3:ListBucket", BUCKET),
        ("s3:GetObjectVersion", f"{BUCKET}/incoming/a + b%.csv"),
        ("s3:PutObject", f"{BUCKET}/runs/{RUN}/input/upload.any"),
        ("s3:AbortMultipartUpload", f"{BUCKET}/runs/{RUN}/input/upload.any"),
    },
    "FindResult": {
        ("dynamodb:GetItem", TABLE),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/prepared/summary.json"),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/tuning/{RUN}-0-001-89abcdef/output/model.tar.gz"),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/evaluation/evaluation.json"),
        ("s3:ListBucket", BUCKET),
        ("states:DescribeExecution", EXECUTION),
    },
    "RememberResults": {
        ("dynamodb:PutItem", TABLE),
        ("s3:ListBucket", BUCKET),
        ("states:GetExecutionHistory", EXECUTION),
    },
    "KeepModel": {
        ("states:GetExecutionHistory", EXECUTION),
        ("s3:ListBucket", BUCKET),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/evaluation/model.tar.gz"),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/evaluation/evaluation.json"),
        ("s3:PutObject", f"{BUCKET}/models/{RUN}/evaluation.json"),
        ("s3:PutObject", f"{BUCKET}/models/{RUN}/model.tar.gz"),
        ("s3:PutObject", f"{BUCKET}/models/{RUN}/model.onnx"),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/evaluation/baseline/statistics.json"),
        ("s3:PutObject", f"{BUCKET}/models/{RUN}/baseline/statistics.json"),
    },
    "RequestApproval": {
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("states:GetExecutionHistory", EXECUTION),
        ("s3:ListBucket", BUCKET),
        ("s3:GetObject", f"{BUCKET}/models/{RUN}/evaluation.json"),
        *USED_BY_JOBS,
        ("sns:ListSubscriptionsByTopic", APPROVERS),
        ("sns:Publish", APPROVERS),
        ("sagemaker:DescribeModelPackage", PACKAGE),
        ("states:SendTaskSuccess", MACHINE),
        ("states:DescribeExecution", EXECUTION),
    },
    "Review": {
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("s3:ListBucket", BUCKET),
        ("s3:GetObject", f"{BUCKET}/models/{RUN}/evaluation.json"),
        ("s3:GetObject", f"{BUCKET}/models/{RUN}/model.tar.gz"),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/predictions/batch.csv.out"),
        ("sagemaker:DescribeModelPackage", PACKAGE),
        ("sagemaker:UpdateModelPackage", PACKAGE),
    },
    "ResumePipeline": {
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:DeleteItem", TABLE),
        ("sagemaker:DescribeModelPackage", PACKAGE),
        ("states:SendTaskSuccess", MACHINE),
        ("states:DescribeExecution", EXECUTION),
        ("sns:Publish", READERS),
        # Lambda writes the event there as the function when the function keeps failing.
        ("sqs:SendMessage", DEAD_LETTERS),
    },
    "Notify": {
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:DeleteItem", TABLE),
        ("states:DescribeExecution", EXECUTION),
        ("states:GetExecutionHistory", EXECUTION),
        ("s3:ListBucket", BUCKET),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/prepared/summary.json"),
        ("s3:GetObject", f"{BUCKET}/models/{RUN}/evaluation.json"),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/predictions/batch.csv.out"),
        ("s3:PutObject", f"{BUCKET}/runs/{RUN}/report/report.html"),
        ("s3:GetObject", f"{BUCKET}/runs/{RUN}/report/report.html"),
        *USED_BY_JOBS,
        ("sns:Publish", READERS),
        ("sqs:SendMessage", DEAD_LETTERS),
    },
    "StopJobs": {
        ("states:DescribeExecution", EXECUTION),
        ("states:DescribeExecution", MONITORING),
        *LISTS_OF_JOBS,
        *STOPS_OF_JOBS,
        ("sqs:SendMessage", DEAD_LETTERS),
    },
    "Sweep": {
        ("dynamodb:Scan", TABLE),
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:BatchGetItem", TABLE),
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:DeleteItem", TABLE),
        ("sagemaker:DescribeModelPackage", PACKAGE),
        ("sagemaker:UpdateModelPackage", PACKAGE),
        *USED_BY_JOBS,
        ("states:ListExecutions", MACHINE),
        ("states:ListExecutions", RELEASES),
        ("states:ListExecutions", aws_arn("states", f"stateMachine:{STACK}-monitor")),
        ("states:DescribeExecution", MONITORING),
        *SETTING_BACK,
        ("sagemaker:ListModelPackages", PACKAGE),
        ("sagemaker:ListModelPackages", GROUP),
        ("states:SendTaskSuccess", MACHINE),
        ("states:DescribeExecution", EXECUTION),
        *STOPS_OF_JOBS,
        ("sns:Publish", APPROVERS),
        ("sns:Publish", READERS),
        ("sqs:SendMessage", DEAD_LETTERS),
    },
    "Retrain": {
        ("dynamodb:BatchGetItem", TABLE),
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("s3:ListBucketVersions", BUCKET),
        ("states:ListExecutions", MACHINE),
        ("states:StartExecution", MACHINE),
        ("states:DescribeExecution", EXECUTION),
        ("sqs:SendMessage", DEAD_LETTERS),
    },
    "CheckRelease": {
        ("s3:ListBucket", BUCKET),
        ("s3:GetObject", f"{BUCKET}/models/{RUN}/evaluation.json"),
        ("s3:GetObject", f"{BUCKET}/models/{RUN}/model.tar.gz"),
    },
    "SmokeTest": {
        ("s3:GetObject", f"{BUCKET}/models/{RUN}/evaluation.json"),
        ("sagemaker:InvokeEndpoint", ENDPOINT),
    },
    "ReportRelease": {
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:DeleteItem", TABLE),
        *SETTING_BACK,
        ("sns:Publish", READERS),
        ("sqs:SendMessage", aws_arn("sqs", "mpg-test-ReleaseDeadLetters-X1")),
    },
    "PlanMonitoring": {
        ("dynamodb:GetItem", TABLE),
        ("sagemaker:ListModelPackages", PACKAGE),
        ("sagemaker:ListModelPackages", GROUP),
        ("sagemaker:DescribeModelPackage", PACKAGE),
        ("states:ListExecutions", MACHINE),
        ("states:DescribeExecution", EXECUTION),
        ("s3:ListBucket", BUCKET),
        ("s3:GetObject", f"{BUCKET}/monitoring/some_workload/{RUN}/seen.manifest"),
        ("s3:PutObject", f"{BUCKET}/monitoring/some_workload/{RUN}/seen.manifest"),
        ("s3:PutObject", f"{BUCKET}/monitoring/some_workload/{RUN}/earlier.manifest"),
    },
    "ReportMonitoring": {
        ("states:GetExecutionHistory", MONITORING),
        *((f"dynamodb:{action}Item", TABLE) for action in ("Get", "Put", "Update", "Delete")),
        ("s3:ListBucket", BUCKET),
        ("s3:GetObject", f"{BUCKET}/monitoring/some_workload/{RUN}/monitoring.json"),
        ("s3:GetObject", f"{BUCKET}/monitoring/some_workload/{RUN}/report.html"),
        ("s3:PutObject", f"{BUCKET}/monitoring/some_workload/{RUN}/report.html"),
        ("sns:Publish", READERS),
    },
    "NotifyMonitoring": {
        *((f"dynamodb:{action}Item", TABLE) for action in ("Get", "Put", "Update", "Delete")),
        ("states:DescribeExecution", MONITORING),
        ("sagemaker:DescribeProcessingJob", PROCESSING_JOB),
        ("sns:Publish", READERS),
        ("sqs:SendMessage", aws_arn("sqs", "mpg-test-MonitoringDeadLetters-X1")),
    },
    "ListModels": {*FINDING_MODELS, *LISTING_MODELS},
    "DownloadModel": FINDING_MODELS,
    "Catalogue": {
        *FINDING_MODELS,
        *LISTING_MODELS,
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
    },
    "IssueCatalogueLink": {
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:Scan", TABLE),
    },
    "PublishCode": {
        ("s3:PutObject", f"{BUCKET}/code/0123/code.zip"),
        ("s3:PutObject", f"{BUCKET}/code/0123/some_workload/workload.json"),
        *(
            (f"sagemaker:{action}", GROUP)
            for action in ("CreateModelPackageGroup", "DescribeModelPackageGroup", "AddTags", "ListTags")
        ),
    },
}
FOR_EVERY_FUNCTION = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
}


def test_the_table_above_has_every_function() -> None:
    assert {f"{name}Function" for name in CALLS} == set(of_type("AWS::Lambda::Function"))


@pytest.mark.parametrize("name", CALLS)
def test_a_function_runs_under_its_own_role(name: str) -> None:
    assert properties(f"{name}Function")["Role"].endswith(f"role/mpg-test-{name}Role-X1")


@pytest.mark.parametrize("name", CALLS)
def test_a_role_allows_the_calls_of_its_function(name: str) -> None:
    for action, resource in CALLS[name]:
        assert iam.allows(iam.statements(f"{name}Role"), action, resource), f"{action} on {resource}"


@pytest.mark.parametrize("name", CALLS)
def test_a_role_allows_no_other_action(name: str) -> None:
    assert iam.actions(f"{name}Role") == {action for action, _ in CALLS[name]} | FOR_EVERY_FUNCTION


@pytest.mark.parametrize("name", CALLS)
def test_a_function_writes_to_its_own_log_group_only(name: str) -> None:
    policy = iam.statements(f"{name}Role")
    group = properties(f"{name}Function")["LoggingConfig"]["LogGroup"]
    assert iam.allows(policy, "logs:PutLogEvents", aws_arn("logs", f"log-group:{group}:log-stream:2026/01"))
    assert not iam.allows(
        policy, "logs:PutLogEvents", aws_arn("logs", "log-group:/aws/lambda/other:log-stream:1")
    )


def test_only_the_page_decides_and_the_sweep_finishes_what_was_decided() -> None:
    deciders = {role for role in iam.roles() if "sagemaker:UpdateModelPackage" in iam.actions(role)}
    assert deciders == {"ReviewRole", "SweepRole"}


@pytest.mark.parametrize("role", ["StopJobsRole", "SweepRole"])
def test_jobs_of_others_cannot_be_stopped(role: str) -> None:
    for action, resource in STOPS_OF_JOBS:
        assert not iam.allows(iam.statements(role), action, resource.replace(RUN, "somebody-elses"))


def test_only_checked_files_are_copied_to_models_and_no_job_can_change_them() -> None:
    for name in ("model.tar.gz", "model.onnx", "evaluation.json", *FILES):
        kept = f"{BUCKET}/models/{RUN}/{name}"
        writers = {role for role in iam.roles() if iam.allows(iam.statements(role), "s3:PutObject", kept)}
        assert writers == {"KeepModelRole"}


@pytest.mark.parametrize("key", ["package#arn", "live#iris", "told#x", "upload#x", "link#x"])
def test_the_catalogues_functions_write_no_record_of_others(key: str) -> None:
    of_key = {"dynamodb:LeadingKeys": key}
    for role in ("ListModelsRole", "DownloadModelRole", "CatalogueRole", "IssueCatalogueLinkRole"):
        for action in ("PutItem", "UpdateItem", "DeleteItem"):
            assert not iam.allows(iam.statements(role), f"dynamodb:{action}", TABLE, of_key)
    assert not iam.allows(
        iam.statements("CatalogueRole"), "dynamodb:UpdateItem", TABLE, {"dynamodb:LeadingKeys": "catalogue#x"}
    )


@pytest.mark.parametrize("key", ["package#arn", "live#iris", "told#x", "upload#x", "link#x", "catalogue#x"])
def test_the_functions_of_reuse_read_and_write_no_record_of_others(key: str) -> None:
    for role in ("FindResultRole", "RememberResultsRole"):
        for action in ("GetItem", "PutItem", "UpdateItem", "DeleteItem"):
            of_key = {"dynamodb:LeadingKeys": key}
            assert not iam.allows(iam.statements(role), f"dynamodb:{action}", TABLE, of_key)


@pytest.mark.parametrize("key", ["package#arn", "live#iris", "upload#x", "result#x", "release#x"])
def test_the_functions_of_monitoring_write_no_record_of_others(key: str) -> None:
    for role in ("PlanMonitoringRole", "ReportMonitoringRole", "NotifyMonitoringRole"):
        for action in ("PutItem", "UpdateItem", "DeleteItem"):
            of_key = {"dynamodb:LeadingKeys": key}
            assert not iam.allows(iam.statements(role), f"dynamodb:{action}", TABLE, of_key)


@pytest.mark.parametrize("key", ["package#arn", "live#iris", "told#x", "upload#x", "link#x", "result#x"])
def test_the_function_that_retrains_reads_and_writes_no_record_of_others(key: str) -> None:
    for action in ("BatchGetItem", "GetItem", "PutItem", "UpdateItem", "DeleteItem"):
        of_key = {"dynamodb:LeadingKeys": key}
        assert not iam.allows(iam.statements("RetrainRole"), f"dynamodb:{action}", TABLE, of_key)


def test_the_function_that_retrains_notes_no_upload_and_reads_none() -> None:
    of_key = {"dynamodb:LeadingKeys": "accepted#iris#2026-01-31"}
    assert not iam.allows(iam.statements("RetrainRole"), "dynamodb:PutItem", TABLE, of_key)
    assert not {"s3:GetObject", "s3:GetObjectVersion"} & iam.actions("RetrainRole")


def test_only_a_function_that_checks_who_asks_remembers_results() -> None:
    of_key = {"dynamodb:LeadingKeys": "result#x"}
    assert iam.allows(iam.statements("RememberResultsRole"), "dynamodb:PutItem", TABLE, of_key)
    assert not iam.allows(iam.statements("FindResultRole"), "dynamodb:PutItem", TABLE, of_key)


def test_the_report_is_written_where_no_model_lies() -> None:
    policy = iam.statements("NotifyRole")
    for key in (f"runs/{RUN}/prepared/summary.json", f"models/{RUN}/evaluation.json", "incoming/cars.csv"):
        assert not iam.allows(policy, "s3:PutObject", f"{BUCKET}/{key}")
    for key in (f"models/{RUN}/model.tar.gz", f"runs/{RUN}/input/upload.csv", "incoming/cars.csv"):
        assert not iam.allows(policy, "s3:GetObject", f"{BUCKET}/{key}")


def test_the_page_cannot_resume_an_execution() -> None:
    assert not any(action.startswith("states:") for action in iam.actions("ReviewRole"))


def test_packages_of_other_groups_are_out_of_reach() -> None:
    elsewhere = PACKAGE.replace(f"/{STACK}--", f"/{STACK}-2--")
    assert not iam.allows(iam.statements("ReviewRole"), "sagemaker:UpdateModelPackage", elsewhere)


CATALOGUE_NOT_REACHED = {
    "dynamodb:PutItem",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "s3:PutObject",
    "sagemaker:UpdateModelPackage",
}
# Calls in modules that a handler shares with another one, which it never reaches.
NOT_REACHED = {
    # Always of a version, which has a separate action.
    "CheckUpload": {"s3:GetObject"},
    # They share the entries' module and the one that names files.
    "FindResult": {"dynamodb:PutItem", "s3:PutObject", "states:ListExecutions"},
    "RememberResults": {"dynamodb:GetItem", "s3:GetObject", "s3:PutObject"},
    "RequestApproval": {"sagemaker:UpdateModelPackage", "dynamodb:Scan", "s3:PutObject"},
    "Review": {"dynamodb:PutItem", "dynamodb:Scan", "s3:PutObject"},
    "ResumePipeline": {"sagemaker:UpdateModelPackage", "dynamodb:Scan"},
    "Notify": {"dynamodb:Scan", "states:ListExecutions"},
    "ListModels": CATALOGUE_NOT_REACHED | {"dynamodb:GetItem"},
    "DownloadModel": CATALOGUE_NOT_REACHED | {"dynamodb:GetItem", "sagemaker:ListModelPackages"},
    "Catalogue": CATALOGUE_NOT_REACHED - {"dynamodb:UpdateItem"},
    "IssueCatalogueLink": {"dynamodb:GetItem"},
    "StopJobs": {"states:ListExecutions"},
    "Sweep": {"s3:PutObject"},
    "Retrain": {"dynamodb:DeleteItem"},
    "CheckRelease": {"s3:PutObject"},
    # Only where a function answers.
    "SmokeTest": {"s3:PutObject", "lambda:Invoke"},
    "NotifyMonitoring": {"states:ListExecutions"},
    # What is remembered is written by the function that reports.
    "PlanMonitoring": {"dynamodb:PutItem"},
    "ReportRelease": {"states:ListExecutions", "s3:PutObject"},
}


@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"PublishCode"}))
def test_the_table_above_has_every_call_in_the_code(name: str) -> None:
    handler = properties(f"{name}Function")["Handler"].rpartition(".")[0]
    assert code.calls(handler) - iam.actions(f"{name}Role") == NOT_REACHED.get(name, set())

"""Checks that create something in the preflight's own stack."""

import base64
import hashlib
import json
import re
from typing import Any

from botocore.exceptions import ClientError

from deploy.preflight.checks import JOB_SECONDS, Account, CannotTell, Check, Seen, code_of, until
from deploy.preflight.own_stack import NAME
from deploy.preflight.reading import image_uri
from deploy.preflight.serving import put_model

# Leaves an exit message, as the pipeline's jobs do.
_SAY = b"import pathlib, sys\npathlib.Path(sys.argv[1]).write_text('said')\n"
_DENIED = {"AccessDenied", "AccessDeniedException"}


def _sync_result(account: Account) -> Seen:
    account.client("s3").put_object(Bucket=account.made["Bucket"], Key="code/say.py", Body=_SAY)
    ended = _run(account, "Processing", JOB_SECONDS)
    if ended["status"] != "SUCCEEDED":
        raise CannotTell(f"the job did not succeed: {ended.get('error')} {str(ended.get('cause'))[:300]}")
    result = json.loads(ended["output"])
    seen = {
        "ExitMessage": result.get("ExitMessage"),
        "Tags": result.get("Tags"),
        "times": {name: value for name, value in result.items() if name.endswith("Time")},
        "members": sorted(result),
    }
    # The pipeline calls DescribeProcessingJob in any case; this shows what else it could have read.
    whole = all(isinstance(time, int) for time in seen["times"].values()) and isinstance(seen["Tags"], dict)
    return Seen.that(whole, json.dumps(seen))


def _execution_name(account: Account) -> Seen:
    entry = {"Source": "mpg.preflight", "DetailType": "preflight", "Detail": "{}"}
    account.client("events").put_events(Entries=[entry])
    states = account.client("stepfunctions")
    started = until(
        lambda: states.list_executions(stateMachineArn=account.made["Started"])["executions"],
        120,
        "EventBridge started nothing",
    )
    name = started[0]["name"]
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    return Seen.that(bool(re.fullmatch(f"{uuid}_{uuid}", name)), f"{name} ({len(name)} characters)")


def _token_rights(account: Account) -> Seen:
    states, queue = account.client("stepfunctions"), account.client("sqs")
    execution = states.start_execution(stateMachineArn=account.made["Waiting"])["executionArn"]

    def token() -> Any:
        if states.describe_execution(executionArn=execution)["status"] != "RUNNING":
            raise CannotTell("the execution that should wait for its token ended")
        found = queue.receive_message(QueueUrl=account.made["Tokens"], WaitTimeSeconds=1).get("Messages")
        return found and found[0]["Body"]

    waiting = until(token, 60, "no task token came")
    strangers = _attempt(
        account, "Stranger", "stepfunctions", "send_task_success", taskToken=waiting, output="1"
    )
    own = _attempt(account, "Resumer", "stepfunctions", "send_task_success", taskToken=waiting, output="1")
    text = f"with another machine's ARN: {strangers or 'accepted'}; with its own: {own or 'accepted'}"
    return Seen.that(strangers in _DENIED and not own, text)


def _package_rights(account: Account) -> Seen:
    put_model(account)
    without = _attempt(account, "Packager", "sagemaker", "create_model_package", **_package(account))
    with_rights = _attempt(
        account, "PackagerWithRights", "sagemaker", "create_model_package", **_package(account)
    )
    text = f"without rights on image and file: {without or 'created'}; with them: {with_rights or 'created'}"
    return Seen.that(not with_rights, text)


def _paging(account: Account) -> Seen:
    sagemaker = account.client("sagemaker")
    for status in ("Approved", "PendingManualApproval"):
        sagemaker.create_model_package(**_package(account, status))
    page = sagemaker.list_model_packages(
        ModelPackageGroupName=NAME, ModelApprovalStatus="Approved", SortOrder="Descending", MaxResults=1
    )
    found, token = page["ModelPackageSummaryList"], page.get("NextToken")
    text = f"{len(found)} packages {'and a token' if token else 'and no token'} if the newest does not match"
    return Seen.that(not found and bool(token), text)


def _customer_key(account: Account) -> Seen:
    s3, place = account.client("s3"), {"Bucket": account.made["Bucket"], "Key": "sse-c.csv"}
    s3.put_object(**place, Body=b"x", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
    return _refusal(s3, place, "InvalidRequest")


def _archived(account: Account) -> Seen:
    s3, place = account.client("s3"), {"Bucket": account.made["Bucket"], "Key": "archived.csv"}
    s3.put_object(**place, Body=b"x", StorageClass="GLACIER")
    return _refusal(s3, place, "InvalidObjectState")


def _copied(account: Account) -> Seen:
    s3, bucket = account.client("s3"), account.made["Bucket"]
    s3.put_object(Bucket=bucket, Key="from", Body=b"x")
    source = {"Bucket": bucket, "Key": "from"}
    answer = s3.copy_object(Bucket=bucket, Key="to", CopySource=source, ChecksumAlgorithm="SHA256")
    told = answer["CopyObjectResult"].get("ChecksumSHA256", "")
    expected = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    return Seen.that(told == expected, f"ChecksumSHA256 {told or 'is missing'}")


def _refusal(s3: Any, place: dict[str, str], expected: str) -> Seen:
    try:
        s3.get_object(**place)
    except ClientError as error:
        return Seen.that(
            code_of(error) == expected, f"{code_of(error)}: {error.response['Error'].get('Message')}"
        )
    return Seen("differs", "the object was returned")


def _attempt(account: Account, role: str, service: str, call: str, **request: Any) -> str:
    """Call as one of the stack's roles; returns the error code, empty if the call succeeds."""
    try:
        getattr(account.client(service, account.made[role]), call)(**request)
    except ClientError as error:
        return code_of(error)
    return ""


def _run(account: Account, machine: str, seconds: float) -> Any:
    """A finished execution of one of the stack's state machines."""
    states = account.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=account.made[machine])["executionArn"]

    def ended() -> Any:
        found = states.describe_execution(executionArn=arn)
        return None if found["status"] == "RUNNING" else found

    return until(ended, seconds, "the execution runs")


def _package(account: Account, status: str = "PendingManualApproval") -> dict[str, Any]:
    container = {
        "Image": image_uri("xgboost", account.region),
        "ModelDataUrl": f"s3://{account.made['Bucket']}/model.tar.gz",
    }
    return {
        "ModelPackageGroupName": NAME,
        "ModelApprovalStatus": status,
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }


CHECKS = (
    Check(
        "A file uploaded with a customer-provided key (SSE-C) is refused with InvalidRequest",
        "aws s3api get-object --bucket <bucket> --key <uploaded with --sse-customer-key> /dev/null",
        _customer_key,
    ),
    Check(
        "A file in an archive is refused with InvalidObjectState",
        "aws s3api get-object --bucket <bucket> --key <uploaded with --storage-class GLACIER> /dev/null",
        _archived,
    ),
    Check(
        "CopyObject returns the requested SHA-256",
        "aws s3api copy-object --copy-source <bucket>/from --bucket <bucket> --key to "
        "--checksum-algorithm SHA256",
        _copied,
    ),
    Check(
        "EventBridge names the account (aws:SourceAccount), and an execution by two UUIDs with an underscore",
        "aws stepfunctions list-executions --state-machine-arn <that an event started> "
        "--query 'executions[].name'",
        _execution_name,
    ),
    Check(
        "Permission for states:SendTaskSuccess can be limited to a state machine's ARN",
        "aws stepfunctions send-task-success --task-token <token> --task-output 1, as a role with that right",
        _token_rights,
    ),
    Check(
        "CreateModelPackage needs its caller's rights on the image and the file",
        "aws sagemaker create-model-package --model-package-group-name <group> "
        "--inference-specification file://one.json, as roles with and without ecr: and s3: rights",
        _package_rights,
    ),
    Check(
        "ListModelPackages filters a page after taking it, so a page can be empty and have a token",
        "aws sagemaker list-model-packages --model-package-group-name <group> "
        "--model-approval-status Approved --sort-order Descending --max-results 1 --no-paginate",
        _paging,
    ),
    Check(
        "Step Functions names the account; a .sync result has the event's form: milliseconds, tags as a map",
        "aws stepfunctions describe-execution --query output --execution-arn <of a machine with that task>",
        _sync_result,
    ),
)

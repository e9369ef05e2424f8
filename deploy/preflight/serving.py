"""The check that the XGBoost image serves a model with a script where no network is."""

import io
import tarfile
import uuid
from typing import Any

from deploy.preflight.checks import JOB_SECONDS, Account, CannotTell, Check, Seen, until
from deploy.preflight.reading import definition, image_uri

# Answers each line of a request with itself.
_SCRIPT = b"""\
def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    return body.decode() if isinstance(body, bytes) else body

def predict_fn(lines, model):
    return lines

def output_fn(lines, accept):
    return lines, accept
"""
_LINES = b"1,2\n3,4\n"


def environment() -> dict[str, str]:
    """What the pipeline's model has in its environment, but for what differs from run to run."""
    assigned = definition()["States"]["Keep model"]["Assign"]["modelContainer"]["Environment"]
    return {name: value for name, value in assigned.items() if not value.startswith("{%")}


def put_model(account: Account) -> str:
    """Upload a model that is only its script; returns where it lies."""
    archive, script = io.BytesIO(), tarfile.TarInfo(f"code/{environment()['SAGEMAKER_PROGRAM']}")
    script.size = len(_SCRIPT)
    with tarfile.open(fileobj=archive, mode="w:gz") as files:
        files.addfile(script, io.BytesIO(_SCRIPT))
    account.client("s3").put_object(
        Bucket=account.made["Bucket"], Key="model.tar.gz", Body=archive.getvalue()
    )
    return f"s3://{account.made['Bucket']}/model.tar.gz"


def _serves_in_isolation(account: Account) -> Seen:
    sagemaker, bucket = account.client("sagemaker"), account.made["Bucket"]
    name = f"mpg-preflight-{uuid.uuid4().hex[:8]}"
    account.client("s3").put_object(Bucket=bucket, Key="batch/lines.csv", Body=_LINES)
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=account.made["JobRole"],
        EnableNetworkIsolation=True,
        PrimaryContainer={
            "Image": image_uri("xgboost", account.region),
            "ModelDataUrl": put_model(account),
            "Environment": environment(),
        },
    )
    sagemaker.create_transform_job(**_transform(name, bucket))

    def ended() -> Any:
        found = sagemaker.describe_transform_job(TransformJobName=name)
        return None if found["TransformJobStatus"] in ("InProgress", "Stopping") else found

    job = until(ended, JOB_SECONDS, "the transform job works")
    if job["TransformJobStatus"] != "Completed":
        return Seen("differs", f"{job['TransformJobStatus']}: {job.get('FailureReason', 'no reason')}"[:300])
    answer = account.client("s3").get_object(Bucket=bucket, Key="predictions/lines.csv.out")["Body"].read()
    if answer.split() != _LINES.split():
        raise CannotTell(f"the job answered {answer[:100]!r}")
    return Seen("ok", "Completed, each line answered")


def _transform(name: str, bucket: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/batch/"}
    return {
        "TransformJobName": name,
        "ModelName": name,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "ContentType": "text/csv",
            "SplitType": "Line",
            "DataSource": {"S3DataSource": source},
        },
        "TransformOutput": {
            "S3OutputPath": f"s3://{bucket}/predictions",
            "Accept": "text/csv",
            "AssembleWith": "Line",
        },
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }


CHECKS = (
    Check(
        "The XGBoost image serves a model's script under network isolation, in the pipeline's environment",
        "aws sagemaker describe-transform-job --transform-job-name <of a model with EnableNetworkIsolation>",
        _serves_in_isolation,
    ),
)

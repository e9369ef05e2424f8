"""The check that the XGBoost image serves our model without a network, and where the outputs are written."""

import io
import json
import tarfile
import uuid
from typing import Any

from common.workload import find_workload
from deploy.preflight.checks import JOB_SECONDS, Account, CannotTell, Check, Seen, until
from deploy.preflight.reading import image_uri
from deploy.settings import read_settings

# Echoes each line of a request.
_MODULE = b"""\
def main(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/csv")])
    return [b"" if environ["PATH_INFO"] == "/ping" else environ["wsgi.input"].read()]
"""
_LINES = b"1,2\n3,4\n"


def environment() -> dict[str, str]:
    """The environment of the default workload's model, except what differs from run to run."""
    name = read_settings("default").parameters["DefaultWorkload"]
    found: dict[str, str] = find_workload(name).settings["model"]["environment"]
    return found


def put_model(account: Account) -> str:
    """Upload a model that contains only its server; returns its address."""
    name = environment()["SAGEMAKER_SERVING_MODULE"].partition(":")[0]
    archive, module = io.BytesIO(), tarfile.TarInfo(f"code/{name}.py")
    module.size = len(_MODULE)
    with tarfile.open(fileobj=archive, mode="w:gz") as files:
        files.addfile(module, io.BytesIO(_MODULE))
    account.client("s3").put_object(
        Bucket=account.made["Bucket"], Key="model.tar.gz", Body=archive.getvalue()
    )
    return f"s3://{account.made['Bucket']}/model.tar.gz"


def _serves_in_isolation(account: Account) -> Seen:
    sagemaker, bucket = account.client("sagemaker"), account.made["Bucket"]
    name = f"mpg-preflight-{uuid.uuid4().hex[:8]}"
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="batch/lines.csv", Body=_LINES)
    manifest = [{"prefix": f"s3://{bucket}/batch/"}, "lines.csv"]
    s3.put_object(Bucket=bucket, Key="batch/batch.manifest", Body=json.dumps(manifest).encode())
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

    job = until(ended, JOB_SECONDS, "the transform job is running")
    if job["TransformJobStatus"] != "Completed":
        return Seen("differs", f"{job['TransformJobStatus']}: {job.get('FailureReason', 'no reason')}"[:300])
    outputs = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="predictions/")["Contents"]]
    if outputs != ["predictions/lines.csv.out"]:
        return Seen("differs", f"Completed, but the predictions are at {', '.join(outputs)}"[:300])
    answer = s3.get_object(Bucket=bucket, Key=outputs[0])["Body"].read()
    if answer.split() != _LINES.split():
        raise CannotTell(f"the job answered {answer[:100]!r}")
    return Seen("ok", f"Completed, each line answered in {outputs[0]}")


def _transform(name: str, bucket: str) -> dict[str, Any]:
    source = {"S3DataType": "ManifestFile", "S3Uri": f"s3://{bucket}/batch/batch.manifest"}
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
        "The XGBoost image serves our model under network isolation, in the pipeline's environment, "
        "and the predictions for a manifest are below S3OutputPath under the names in it",
        "aws sagemaker describe-transform-job --transform-job-name <of a model with EnableNetworkIsolation>; "
        "aws s3 ls --recursive <its S3OutputPath>",
        _serves_in_isolation,
    ),
)

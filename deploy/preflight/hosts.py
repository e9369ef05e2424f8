"""Whether the instances of an isolated processing job reach each other; no page of AWS says it."""

import time
from typing import Any

from deploy.preflight.checks import JOB_SECONDS, Account, CannotTell, Check, Seen, until
from deploy.preflight.own_stack import NAME
from deploy.preflight.reading import image_uri

_WAY_OUT = "Without the template's rule InstancesReachEachOther, isolated jobs could have several."
# Instances start at different times.
MEETING_SECONDS = 90
# The first host listens and leaves what it saw as the exit message; the second one connects.
_MEET = b"""import json, pathlib, socket, sys, time
message, seconds = sys.argv[1], int(sys.argv[2])
mine = json.loads(pathlib.Path("/opt/ml/config/resourceconfig.json").read_text())["current_host"]
if mine == "algo-1":
    listener = socket.create_server(("", 8786))
    listener.settimeout(seconds)
    try:
        listener.accept()
        said = "reached"
    except TimeoutError:
        said = "not reached"
    pathlib.Path(message).write_text(said)
else:
    for _ in range(seconds):
        try:
            socket.create_connection(("algo-1", 8786), 1).close()
            break
        except OSError:
            time.sleep(1)
"""


def _meeting(account: Account) -> Seen:
    sagemaker, name = account.client("sagemaker"), f"{NAME}-hosts-{int(time.time())}"
    account.client("s3").put_object(Bucket=account.made["Bucket"], Key="meeting/meet.py", Body=_MEET)
    sagemaker.create_processing_job(ProcessingJobName=name, **_job(account))

    def ended() -> Any:
        job = sagemaker.describe_processing_job(ProcessingJobName=name)
        return None if job["ProcessingJobStatus"] in ("InProgress", "Stopping") else job

    job = until(ended, JOB_SECONDS, "the job runs")
    said = job.get("ExitMessage", "")
    if said not in ("reached", "not reached"):
        raise CannotTell(f"the job did not say: {said or job.get('FailureReason', '')[:300]}")
    apart = said == "not reached"
    return Seen.that(apart, "one did not reach the other" if apart else f"they do. {_WAY_OUT}")


def _job(account: Account) -> dict[str, Any]:
    code = "/opt/ml/processing/input/code"
    s3_input = {
        "S3Uri": f"s3://{account.made['Bucket']}/meeting/",
        "LocalPath": code,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    command = ["python3", f"{code}/meet.py", "/opt/ml/output/message", str(MEETING_SECONDS)]
    cluster = {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
    return {
        "RoleArn": account.made["JobRole"],
        "AppSpecification": {
            "ImageUri": image_uri("scikit-learn", account.region),
            "ContainerEntrypoint": command,
        },
        "ProcessingInputs": [{"InputName": "code", "S3Input": s3_input}],
        "ProcessingResources": {"ClusterConfig": cluster},
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


CHECKS = (
    Check(
        "The instances of a processing job under network isolation do not reach each other",
        "aws sagemaker describe-processing-job --processing-job-name <of two instances> --query ExitMessage",
        _meeting,
    ),
)

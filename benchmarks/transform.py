"""A million batch predictions through a local transform job, with the model of a pipeline run.

`python benchmarks/transform.py` needs a running `mpg up` in which `mpg run` has made a model. It repeats that
run's own batch rows, and prints the seconds of the job and the predictions in a minute.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from local.cli import deploy  # noqa: E402 - after the path
from local.cli.down import NOTE  # noqa: E402
from local.cli.endpoint import Endpoint, endpoint_of  # noqa: E402
from local.cli.instance import read_running  # noqa: E402

# What a job takes over from the run's own.
_SETTINGS = ("ModelName", "BatchStrategy", "MaxPayloadInMB", "MaxConcurrentTransforms", "TransformResources")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a batch transform job.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="default: 1,000,000")
    rows = parser.parse_args().rows
    note = read_running(NOTE)
    endpoint = endpoint_of(note) if note else None
    if endpoint is None:
        raise SystemExit("Start `mpg up` and send a file through with `mpg run` first.")
    seconds = transform(endpoint, deploy.outputs(endpoint)["BucketName"], rows)
    print(f"{rows:,} predictions in {seconds:.1f} s: {rows * 60 / seconds:,.0f} in a minute")


def transform(endpoint: Endpoint, bucket: str, rows: int) -> float:
    """Send so many rows through a job like the newest one; returns its seconds, S3 included."""
    sagemaker, s3 = endpoint.client("sagemaker"), endpoint.client("s3")
    newest = sagemaker.list_transform_jobs(SortBy="CreationTime", SortOrder="Descending")
    if not newest["TransformJobSummaries"]:
        raise SystemExit("No run has made a model yet: call `mpg run` first.")
    model = sagemaker.describe_transform_job(
        TransformJobName=newest["TransformJobSummaries"][-1]["TransformJobName"]
    )
    source = model["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    folder = source.rsplit("/", 1)[0].removeprefix(f"s3://{bucket}/")
    lines = s3.get_object(Bucket=bucket, Key=f"{folder}/batch.csv")["Body"].read().splitlines(keepends=True)
    content = b"".join(lines[number % len(lines)] for number in range(rows))
    s3.put_object(Bucket=bucket, Key=f"{folder}/many.csv", Body=content)
    name, began = f"many-{time.time_ns()}", time.monotonic()
    sagemaker.create_transform_job(TransformJobName=name, **_like(model, f"s3://{bucket}/{folder}/many.csv"))
    while (job := sagemaker.describe_transform_job(TransformJobName=name))["TransformJobStatus"] not in (
        "Completed",
        "Failed",
    ):
        time.sleep(0.1)
    if job["TransformJobStatus"] == "Failed":
        raise SystemExit(job["FailureReason"])
    return time.monotonic() - began


def _like(job: dict[str, Any], source: str) -> dict[str, Any]:
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}}
    given = {name: job[name] for name in (*_SETTINGS, "TransformOutput", "DataProcessing") if name in job}
    return given | {"TransformInput": job["TransformInput"] | {"DataSource": data}}


if __name__ == "__main__":
    main()

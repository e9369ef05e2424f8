"""Where things are: objects in the pipeline's bucket, and the report of a run."""

import os


def key_in_bucket(uri: str) -> str:
    """The key of an `s3://` address in the pipeline's bucket; empty for any other address."""
    prefix = f"s3://{os.environ['BUCKET_NAME']}/"
    return uri.removeprefix(prefix) if uri.startswith(prefix) else ""


def uri_of(key: str) -> str:
    """The `s3://` address of a key in the pipeline's bucket."""
    return f"s3://{os.environ['BUCKET_NAME']}/{key}"


def report_command(run_id: str) -> str:
    """The command that writes a run's report at any time."""
    where = "" if "AWS_ENDPOINT_URL" in os.environ else " --config-env default"
    return f"mpg report {run_id}{where}"

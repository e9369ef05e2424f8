"""Where objects are in the pipeline's bucket."""

import os


def key_in_bucket(uri: str) -> str:
    """The key of an `s3://` address in the pipeline's bucket; empty for any other address."""
    prefix = f"s3://{os.environ['BUCKET_NAME']}/"
    return uri.removeprefix(prefix) if uri.startswith(prefix) else ""


def uri_of(key: str) -> str:
    """The `s3://` address of a key in the pipeline's bucket."""
    return f"s3://{os.environ['BUCKET_NAME']}/{key}"

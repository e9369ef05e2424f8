"""Which operation a request calls."""

from typing import Any

import pytest

from local.embedded import operations
from local.embedded.operations import Request
from local.sagemaker.models import new_session

SIGNED = {
    "authorization": "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
}
OTHERS: dict[str, dict[str, object]] = {
    "get_object": {"Key": "k"},
    "put_object": {"Key": "k"},
    "copy_object": {"Key": "k", "CopySource": "bucket/c"},
    "upload_part": {"Key": "k", "PartNumber": 1, "UploadId": "u"},
}


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "operation"),
    [
        ("GET", "/", "", {}, "s3:ListBuckets"),
        ("GET", "/bucket", "list-type=2&prefix=a", {}, "s3:ListObjectsV2"),
        ("GET", "/bucket/", "list-type=2", {}, "s3:ListObjectsV2"),
        ("GET", "/bucket/a/b.csv", "", {}, "s3:GetObject"),
        ("PUT", "/bucket/a/b.csv", "", {}, "s3:PutObject"),
        ("PUT", "/bucket/a/b.csv", "", {"x-amz-copy-source": "bucket/c"}, "s3:CopyObject"),
        ("PUT", "/bucket/a/b.csv", "partNumber=1&uploadId=u", {}, "s3:UploadPart"),
    ],
)
def test_method_path_and_query_name_an_operation_of_s3(
    method: str, path: str, query: str, headers: dict[str, str], operation: str
) -> None:
    # A client takes the bucket out of the paths of the model, which is read only once.
    client: Any = new_session().create_client(
        "s3", "us-east-1", aws_access_key_id="K", aws_secret_access_key="S"
    )
    for call in ("list_objects_v2", "get_object", "put_object", "copy_object", "upload_part"):
        client.generate_presigned_url(call, {"Bucket": "bucket", **OTHERS.get(call, {})})
    operations._rest_operations.cache_clear()
    assert Request(method, path, query, SIGNED | headers, b"").operation == operation

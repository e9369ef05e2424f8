"""An unusable file is refused and no run fails, whatever its bytes are and however it was uploaded."""

import pytest

from tests.faults.pipeline import SAMPLE, Pipeline
from tests.faults.run import Run

# Over MaxCheckedBytes in few rows; only the rows after them are wrong.
LARGE = SAMPLE + (b"18,8,307,130,3504,12,70,1," + b"x" * 100_000 + b"\n") * 110


def test_a_bad_row_that_only_the_job_sees_is_reported_as_a_refused_upload(pipeline: Pipeline) -> None:
    run = pipeline.upload(content=LARGE + b"no,car\n")
    assert run.ends().error == "States.TaskFailed"
    mail = run.reported()
    assert mail.subject == f"Refused: {run.key}"
    assert f"{run.key}, line 510: has 2 fields; expected 9\n" in mail.text


@pytest.mark.parametrize("content", [SAMPLE, LARGE], ids=["checked whole", "too large for that"])
@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_a_file_that_was_uploaded_into_an_archive_is_refused(
    pipeline: Pipeline, storage_class: str, content: bytes
) -> None:
    run = pipeline.upload(content=content, StorageClass=storage_class)
    assert_refused(run, f"the storage class {storage_class}", "anew with the storage class STANDARD")


def test_a_file_that_was_uploaded_with_a_key_that_s3_does_not_store_is_refused(pipeline: Pipeline) -> None:
    run = pipeline.upload(SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
    assert_refused(run, "key of its own (SSE-C)", "anew without that key")


def test_a_file_that_was_uploaded_under_a_key_that_the_check_may_not_use_is_refused(
    pipeline: Pipeline,
) -> None:
    key = pipeline.client("kms").create_key()["KeyMetadata"]["Arn"]
    run = pipeline.upload(ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert_refused(run, "a KMS key that the pipeline may not use", "anew without naming a key")


def test_other_headers_of_an_upload_change_nothing(pipeline: Pipeline) -> None:
    run = pipeline.upload(
        StorageClass="GLACIER_IR",
        ContentEncoding="gzip",
        ContentType="text/html",
        CacheControl="no-store",
        WebsiteRedirectLocation="/elsewhere",
        ServerSideEncryption="AES256",
    )
    assert run.ends().outcome == "pending"
    copied = pipeline.client("s3").head_object(
        Bucket=pipeline.stack["BucketName"], Key=f"runs/{run.run_id}/input/upload.csv"
    )
    kept = {"StorageClass", "CacheControl", "WebsiteRedirectLocation"} & copied.keys()
    assert (kept, copied["ContentType"]) == (set(), "application/octet-stream")


def assert_refused(run: Run, why: str, way_out: str) -> None:
    """The check refuses it, and the mail names the file, the reason and the way out."""
    assert (run.ends().error, run.entered()[-1]) == ("UploadRefused", "Upload refused")
    mail = run.reported()
    assert mail.subject == f"Refused: {run.key}"
    text = " ".join(mail.text.split())
    assert f"{run.key}: " in text
    assert why in text
    assert way_out in text

"""Copies within S3's limits on size, asked of objects that are only a record."""

from typing import Any

import pytest
from ministack.services import s3

from local.embedded.seams.copies import LARGEST_COPY, install_copies

GIB = 1024**3
COPIED: Any = (200, {}, b"<CopyObjectResult></CopyObjectResult>")


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"limit": LARGEST_COPY, "beyond": LARGEST_COPY + 1, "a?b": LARGEST_COPY + 1}
    objects = {key: {"size": size} for key, size in sizes.items()}
    versions = {("bucket", "limit"): [{"version_id": "old", "size": LARGEST_COPY + 1}]}
    monkeypatch.setattr(s3, "_buckets", {"bucket": {"objects": objects}})
    monkeypatch.setattr(s3, "_object_versions", versions)
    monkeypatch.setattr(s3, "_copy_object", lambda *_: COPIED)
    monkeypatch.setattr(s3, "_upload_part_copy", lambda *_: (404, {}, b"<Code>NoSuchUpload</Code>"))
    install_copies()


def copy(source: str) -> Any:
    return s3._copy_object("bucket", "copy", {"x-amz-copy-source": source})


@pytest.mark.parametrize("source", ["bucket/beyond", "/bucket/a%3Fb", "bucket/limit?versionId=old"])
def test_one_request_copies_at_most_5_gib(source: str) -> None:
    status, _, body = copy(source)
    said = (
        b"The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
    )
    assert (status, b"<Code>InvalidRequest</Code>" in body, said in body) == (400, True, True)


def test_5_gib_and_what_does_not_exist_are_left_to_the_copy_itself() -> None:
    assert copy("bucket/limit") == COPIED
    assert copy("bucket/unknown") == COPIED


@pytest.mark.parametrize(
    ("key", "asked", "status"),
    [
        ("beyond", "", 400),
        ("beyond", f"bytes=0-{5 * GIB}", 400),
        ("beyond", f"bytes=0-{5 * GIB - 1}", 404),
        ("limit", "", 404),
    ],
)
def test_a_part_has_at_most_5_gib(key: str, asked: str, status: int) -> None:
    headers = {"x-amz-copy-source": f"bucket/{key}", "x-amz-copy-source-range": asked}
    assert s3._upload_part_copy("bucket", "copy", {}, headers)[0] == status

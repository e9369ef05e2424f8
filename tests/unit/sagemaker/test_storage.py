import json
import math
from pathlib import Path

import pytest

from local.sagemaker.errors import JobFailed
from local.sagemaker.kinds import Json
from local.sagemaker.storage import Kept, Storage, relative_key, split_uri
from tests.unit.sagemaker.fakes import REGION, ROLE, FakeS3


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()


@pytest.fixture
def storage(s3: FakeS3) -> Storage:
    return Storage(s3, ROLE, REGION)


def prefix(uri: str) -> Json:
    return {"S3DataType": "S3Prefix", "S3Uri": uri}


def manifest(uri: str) -> Json:
    return {"S3DataType": "ManifestFile", "S3Uri": uri}


@pytest.mark.parametrize(
    ("key", "prefix", "relative"),
    [
        ("a/b.csv", "a/b.csv", "b.csv"),
        ("a/b.csv.bak", "a/b.csv", "b.csv.bak"),
        ("a/b/c.csv", "a/b", "c.csv"),
        ("a/b/c.csv", "a/b/", "c.csv"),
        ("a/b/c/d.csv", "a/b", "c/d.csv"),
        ("a/bc/d.csv", "a/b", "bc/d.csv"),
        ("a.csv", "", "a.csv"),
        ("a/b.csv", "", "a/b.csv"),
    ],
)
def test_the_path_of_an_object_is_the_rest_of_its_key_after_the_prefix(
    key: str, prefix: str, relative: str
) -> None:
    assert relative_key(key, prefix) == relative


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://b/k/l", ("b", "k/l")),
        ("s3://b", ("b", "")),
        ("s3://b/", ("b", "")),
        ("s3://b/k?x", ("b", "k?x")),
    ],
)
def test_an_s3_uri_has_a_bucket_and_a_key(uri: str, parts: tuple[str, str]) -> None:
    assert split_uri(uri) == parts


def test_a_prefix_is_downloaded_whole_over_all_pages(s3: FakeS3, storage: Storage, tmp_path: Path) -> None:
    for number in range(5):
        s3.put(f"s3://bucket/in/{number}.csv", b"x")
    s3.put("s3://bucket/in/", b"")
    s3.put("s3://bucket/in/deep/6.csv", b"six")

    storage.download(prefix("s3://bucket/in"), [tmp_path])

    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.csv"))
    assert names == ["0.csv", "1.csv", "2.csv", "3.csv", "4.csv", "deep/6.csv"]
    assert (tmp_path / "deep/6.csv").read_bytes() == b"six"


def test_a_prefix_without_objects_fails_the_job_in_the_words_of_aws(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(JobFailed) as failed:
        storage.download(prefix("s3://bucket/in/"), [tmp_path])

    assert str(failed.value) == (
        'ClientError: No S3 objects found under S3 URL "s3://bucket/in/" given in input data source. Please ensure that '
        "the bucket exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the "
        f'role "{ROLE}" has "s3:ListBucket" permissions on bucket "bucket".'
    )


def test_a_key_that_leaves_the_folder_is_not_written(s3: FakeS3, storage: Storage, tmp_path: Path) -> None:
    s3.put("s3://bucket/in/../../x", b"x")

    with pytest.raises(JobFailed, match="leaves its folder"):
        storage.download(prefix("s3://bucket/in/"), [tmp_path / "folder"])


def test_a_key_with_two_slashes_in_a_row_fails_the_job_in_the_words_of_aws(
    s3: FakeS3, storage: Storage, tmp_path: Path
) -> None:
    s3.put("s3://bucket/in//a.csv", b"x")

    with pytest.raises(JobFailed, match=r"in//a\.csv has an illegal char sub-sequence '//' in it"):
        storage.download(prefix("s3://bucket/in/"), [tmp_path])


def test_a_file_where_another_key_has_a_folder_fails_the_job(
    s3: FakeS3, storage: Storage, tmp_path: Path
) -> None:
    for key in ("a", "a/b"):
        s3.put(f"s3://bucket/in/{key}", b"x")

    with pytest.raises(JobFailed, match="S3 key: s3://bucket/in/a/b cannot be a file"):
        storage.download(prefix("s3://bucket/in/"), [tmp_path])


def test_a_manifest_names_the_objects_and_no_other_is_read(
    s3: FakeS3, storage: Storage, tmp_path: Path
) -> None:
    s3.put("s3://bucket/in/a.manifest", b'[{"prefix": "s3://other/data/"}, "deep/b.csv", "a.csv"]')
    for name in ("a.csv", "a.csv.more", "c.csv", "deep/b.csv"):
        s3.put(f"s3://other/data/{name}", name.encode())

    storage.download(manifest("s3://bucket/in/a.manifest"), [tmp_path])

    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*.*")}
    assert {name: path.read_text() for name, path in files.items()} == {
        "a.csv": "a.csv",
        "deep/b.csv": "deep/b.csv",
    }


def test_a_name_is_appended_to_the_prefix_as_it_is(s3: FakeS3, storage: Storage) -> None:
    s3.put("s3://bucket/m", b'[{"prefix": "s3://bucket/da"}, "ta/a.csv"]')
    s3.put("s3://bucket/data/a.csv", b"x")

    (found,) = storage.find_input(manifest("s3://bucket/m"))

    assert (found.key, found.relative) == ("data/a.csv", "ta/a.csv")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b'{"prefix": "s3://bucket/in/"}', "it must be an array that begins with"),
        (b'["a.csv"]', "it must be an array that begins with"),
        (b"[]", "it must be an array that begins with"),
        (b'[{"prefix": "s3://bucket/in/", "other": 1}, "a.csv"]', "it must be an array that begins with"),
        (b'[{"prefix": 1}, "a.csv"]', "it must be an array that begins with"),
        (b'[{"prefix": ""}, "s3://bucket/a.csv"]', "the prefix '' is not an S3 URI"),
        (b'[{"prefix": "s3://"}, "bucket/a.csv"]', "the prefix 's3://' is not an S3 URI"),
        (b'[{"prefix": "s3://bucket/"}]', "after the prefix it must have one or more strings"),
        (b'[{"prefix": "s3://bucket/"}, ""]', "after the prefix it must have one or more strings"),
        (b'[{"prefix": "s3://bucket/"}, "a", {"prefix": "s3://b/"}]', "after the prefix it must have"),
    ],
)
def test_an_invalid_manifest_fails_the_job(
    content: bytes, reason: str, s3: FakeS3, storage: Storage, tmp_path: Path
) -> None:
    s3.put("s3://bucket/m", content)

    with pytest.raises(JobFailed) as failed:
        storage.download(manifest("s3://bucket/m"), [tmp_path])

    assert str(failed.value).startswith(f"ClientError: The manifest s3://bucket/m is invalid: {reason}")


def test_a_manifest_is_one_object_and_no_prefix(s3: FakeS3, storage: Storage, tmp_path: Path) -> None:
    s3.put("s3://bucket/in.manifest", b'[{"prefix": "s3://bucket/"}, "in.manifest"]')

    with pytest.raises(JobFailed, match='No S3 objects found under S3 URL "s3://bucket/in"'):
        storage.download(manifest("s3://bucket/in"), [tmp_path])


def test_a_missing_object_in_a_manifest_fails_the_job(s3: FakeS3, storage: Storage, tmp_path: Path) -> None:
    s3.put("s3://bucket/m", b'[{"prefix": "s3://bucket/"}, "a.csv"]')
    s3.put("s3://bucket/a.csv.more", b"x")

    with pytest.raises(JobFailed, match=r"ClientError: Data download failed:.* S3 key: s3://bucket/a\.csv "):
        storage.download(manifest("s3://bucket/m"), [tmp_path])


def test_a_name_that_leaves_the_folder_is_not_written(s3: FakeS3, storage: Storage, tmp_path: Path) -> None:
    s3.put("s3://bucket/m", b'[{"prefix": "s3://bucket/"}, "../x"]')
    s3.put("s3://bucket/../x", b"x")

    with pytest.raises(JobFailed, match="leaves its folder"):
        storage.download(manifest("s3://bucket/m"), [tmp_path / "folder"])


def test_a_kept_object_is_read_once_per_version(s3: FakeS3, storage: Storage, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", seconds=0)
    s3.put("s3://bucket/in/a", b"first")
    storage.download(prefix("s3://bucket/in/"), [tmp_path / "one"], kept)
    storage.download(prefix("s3://bucket/in/"), [tmp_path / "two"], kept)
    s3.put("s3://bucket/in/a", b"second")
    storage.download(prefix("s3://bucket/in/"), [tmp_path / "three"], kept)

    assert s3.reads == ["in/a", "in/a"]
    assert [(tmp_path / name / "a").read_bytes() for name in ("one", "two", "three")] == [
        b"first",
        b"first",
        b"second",
    ]


def test_a_job_that_never_changes_its_data_shares_the_kept_files(
    s3: FakeS3, storage: Storage, tmp_path: Path
) -> None:
    kept, twice = Kept(tmp_path / "kept"), {"prefix": "s3://bucket/in/"}
    s3.put("s3://bucket/in/a", b"first")
    s3.put("s3://bucket/all.manifest", json.dumps([twice, "a", "a"]).encode())
    storage.keep(manifest("s3://bucket/all.manifest"), kept)
    for name, changes in (("shares", False), ("changes", True)):
        source = manifest("s3://bucket/all.manifest")
        storage.download(source, [tmp_path / name], kept, changes=changes)
    (tmp_path / "changes/a").write_bytes(b"other")

    assert s3.reads == ["all.manifest", "in/a"]
    assert (tmp_path / "shares/a").read_bytes() == b"first"
    assert [(tmp_path / name / "a").stat().st_nlink for name in ("shares", "changes")] == [2, 1]


def test_kept_objects_are_looked_for_once_by_jobs_that_start_together(
    s3: FakeS3, storage: Storage, tmp_path: Path
) -> None:
    kept = Kept(tmp_path / "kept", seconds=math.inf)
    with pytest.raises(JobFailed):
        storage.download(prefix("s3://bucket/in/"), [tmp_path / "none"], kept)
    s3.put("s3://bucket/in/a", b"first")
    s3.put("s3://bucket/other/a", b"other")
    storage.download(prefix("s3://bucket/in/"), [tmp_path / "one"], kept)
    s3.put("s3://bucket/in/b", b"late")
    storage.download(prefix("s3://bucket/in/"), [tmp_path / "two"], kept)
    storage.download(prefix("s3://bucket/other/"), [tmp_path / "two/other"], kept)

    assert sorted(path.read_bytes() for path in (tmp_path / "two").rglob("*") if path.is_file()) == [
        b"first",
        b"other",
    ]


def test_a_folder_is_uploaded_with_its_paths_as_keys(s3: FakeS3, storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "deep/b.txt").write_text("b")

    storage.upload_folder(tmp_path, "s3://bucket/out/")

    assert s3.objects == {("bucket", "out/a.txt"): b"a", ("bucket", "out/deep/b.txt"): b"b"}


def test_an_upload_that_is_refused_fails_the_job(s3: FakeS3, storage: Storage) -> None:
    s3.broken = True

    with pytest.raises(
        JobFailed, match=r"ClientError: Artifact upload failed: s3://bucket/x: .*AccessDenied"
    ):
        storage.upload(b"x", "s3://bucket/x")

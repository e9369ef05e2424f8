"""A good file is kept for the run exactly as it was claimed; a bad one is refused in words for a person."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlers import check_upload
from runs.uploads import HEAD_BYTES, Upload, UploadRefused, check
from shared.object_errors import explain
from tests.unit.functions.conftest import BUCKET, ROOT, World
from tests.unit.functions.fakes import service_error

GOOD = (ROOT / "data" / "auto-mpg.csv").read_bytes() if Path(ROOT / "data" / "auto-mpg.csv").exists() else b""
KEPT = "runs/mpg-1/input/upload.csv"


def upload(version_id: str, size: int, key: str = "incoming/cars.csv") -> Upload:
    return Upload("mpg-1", BUCKET, key, version_id, size, "auto_mpg")


def content(world: World, key: str) -> bytes:
    body: bytes = world.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def test_a_good_file_is_kept_and_counted(world: World) -> None:
    version = world.put("incoming/cars.csv", GOOD)
    answer = check(upload(version, len(GOOD)), whole_up_to=1_000_000)
    digest = f"sha256:{hashlib.sha256(GOOD).hexdigest()}"
    assert answer == {
        "workload": "auto_mpg",
        "suffix": ".csv",
        "upload_key": KEPT,
        "digest": digest,
        "rows": 398,
        "labelled": 398,
        "checked": "whole",
        "reuse": True,
    }
    assert content(world, KEPT) == GOOD


@pytest.mark.parametrize(("said", "reuse"), [("false", False), ("true", True), ("perhaps", True)])
def test_an_upload_may_ask_that_nothing_is_reused(world: World, said: str, reuse: bool) -> None:
    claimed = world.put("incoming/cars.csv", GOOD, Metadata={"reuse": said})
    world.put("incoming/cars.csv", GOOD)
    assert check(upload(claimed, len(GOOD)), whole_up_to=1_000_000)["reuse"] is reuse
    assert world.s3.head_object(Bucket=BUCKET, Key=KEPT)["Metadata"] == {}


def test_the_claimed_version_is_kept_though_a_newer_one_exists(world: World) -> None:
    claimed = world.put("incoming/cars.csv", GOOD)
    world.put("incoming/cars.csv", b"something else")
    check(upload(claimed, len(GOOD)), whole_up_to=1_000_000)
    assert content(world, KEPT) == GOOD


@pytest.mark.parametrize("name", ["a b", "a+b", "a%20b", "a%2Fb", "änderung", "a?versionId=x", "日本"])
def test_keys_are_used_as_stored_in_s3(world: World, name: str) -> None:
    key = f"incoming/{name}.csv"
    version = world.put(key, GOOD)
    check(upload(version, len(GOOD), key), whole_up_to=1_000_000)
    assert content(world, KEPT) == GOOD


def test_a_file_in_a_workloads_folder_is_checked_by_its_rules(world: World) -> None:
    version = world.put("incoming/auto_mpg/spring/CARS.CSV", GOOD)
    answer = check(upload(version, len(GOOD), "incoming/auto_mpg/spring/CARS.CSV"), whole_up_to=1_000_000)
    assert (answer["workload"], answer["upload_key"]) == ("auto_mpg", KEPT)


def test_a_file_for_no_workload_is_refused_before_it_is_read(world: World) -> None:
    with pytest.raises(UploadRefused, match=r'there is no workload "flowers".*incoming/auto_mpg/'):
        check(upload("unknown", 1, "incoming/flowers/petals.csv"), whole_up_to=1_000_000)


def test_a_bad_file_is_refused_with_file_line_and_way_out_and_not_kept(world: World) -> None:
    bad = GOOD.replace(b",130", b",many", 1)
    version = world.put("incoming/cars.csv", bad)
    with pytest.raises(UploadRefused, match=r"incoming/cars\.csv, line \d+: horsepower is .*; expected"):
        check(upload(version, len(bad)), whole_up_to=1_000_000)
    assert world.s3.list_objects_v2(Bucket=BUCKET, Prefix="runs/")["KeyCount"] == 0


def test_only_the_head_of_a_large_file_is_checked(world: World) -> None:
    header, rows = GOOD.split(b"\n", 1)
    large = header + b"\n" + rows * (HEAD_BYTES // len(rows) + 2) + b"this,is,no,car\n"
    version = world.put("incoming/cars.csv", large)
    assert check(upload(version, len(large)), whole_up_to=1000)["checked"] == "head"
    assert content(world, KEPT) == large
    with pytest.raises(UploadRefused):
        check(upload(version, len(large)), whole_up_to=len(large))


def test_a_file_larger_than_its_workload_allows_is_refused_before_it_is_read(world: World) -> None:
    with pytest.raises(UploadRefused, match="10,737,418,241 bytes; at most 10,737,418,240"):
        check(upload("unknown", 10 * 1024**3 + 1), whole_up_to=1000)


def test_a_version_that_was_deleted_meanwhile_is_refused_with_a_reason(world: World) -> None:
    version = world.put("incoming/cars.csv", GOOD)
    world.s3.delete_object(Bucket=BUCKET, Key="incoming/cars.csv", VersionId=version)
    with pytest.raises(UploadRefused, match="deleted before it could be read"):
        check(upload(version, len(GOOD)), whole_up_to=1_000_000)


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_a_file_in_an_archive_is_refused_with_its_storage_class_and_the_way_out(
    world: World, storage_class: str
) -> None:
    version = world.put("incoming/cars.csv", GOOD, StorageClass=storage_class)
    said = rf"^incoming/cars\.csv: .* storage class {storage_class}, .* anew with the storage class STANDARD"
    with pytest.raises(UploadRefused, match=said):
        check(upload(version, len(GOOD)), whole_up_to=1_000_000)


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "GLACIER_IR", "INTELLIGENT_TIERING"])
def test_a_file_that_can_be_read_is_kept_as_standard_whatever_its_storage_class(
    world: World, storage_class: str
) -> None:
    version = world.put("incoming/cars.csv", GOOD, StorageClass=storage_class)
    check(upload(version, len(GOOD)), whole_up_to=1_000_000)
    listed = world.s3.list_objects_v2(Bucket=BUCKET, Prefix=KEPT)["Contents"]
    assert [entry["StorageClass"] for entry in listed] == ["STANDARD"]


OWN_KEY = "arn:aws:kms:us-east-1:000000000000:key/1111"
ANOTHER_KEY = OWN_KEY.replace("1111", "2222")
NOT_ALLOWED = (
    "User: check is not authorized to perform: kms:Decrypt on resource: {} because no policy allows it"
)


@pytest.mark.parametrize(
    ("code", "text", "own_key", "reason"),
    [
        ("ObjectNotInActiveTierError", "not in the active tier", "", "a storage class, an archive"),
        ("InvalidRequest", "stored using a form of Server Side Encryption", "", "a key of its own (SSE-C)"),
        ("AccessDenied", NOT_ALLOWED.format(ANOTHER_KEY), "", "a KMS key that the pipeline may not use"),
        ("AccessDenied", NOT_ALLOWED.format(ANOTHER_KEY), OWN_KEY, "a KMS key that the pipeline may not use"),
        (
            "KMS.DisabledException",
            f"{ANOTHER_KEY} is disabled.",
            OWN_KEY,
            "a KMS key that the pipeline may not",
        ),
        # The stack's own troubles.
        ("AccessDenied", NOT_ALLOWED.format(OWN_KEY), OWN_KEY, ""),
        ("AccessDenied", "kms:Decrypt on the resource associated with this ciphertext", OWN_KEY, ""),
        ("KMS.DisabledException", f"{OWN_KEY} is disabled.", OWN_KEY, ""),
        ("AccessDenied", "User: kms is not authorized to perform: s3:GetObjectVersion", "", ""),
        ("InternalError", "We encountered an internal error.", "", ""),
    ],
)
def test_an_error_of_s3_is_a_refusal_or_a_failure(
    monkeypatch: pytest.MonkeyPatch, code: str, text: str, own_key: str, reason: str
) -> None:
    monkeypatch.setenv("KMS_KEY_ARN", own_key)
    said = explain(service_error(code, "GetObject", text))
    assert (reason in said, bool(said)) == (True, bool(reason))


def test_the_uploaders_metadata_and_tags_are_not_copied(world: World) -> None:
    version = world.s3.put_object(
        Bucket=BUCKET, Key="incoming/cars.csv", Body=GOOD, Metadata={"a": "b"}, Tagging="a=b"
    )["VersionId"]
    check(upload(version, len(GOOD)), whole_up_to=1_000_000)
    kept = world.s3.get_object(Bucket=BUCKET, Key=KEPT)
    assert (kept["Metadata"], kept["ContentType"]) == ({}, "application/octet-stream")
    assert world.s3.get_object_tagging(Bucket=BUCKET, Key=KEPT)["TagSet"] == []


def test_the_handler_raises_the_error_that_the_state_machine_names(world: World, context: Any) -> None:
    version = world.put("incoming/cars.csv", b"mpg;cylinders;weight\n1;2;3\n")
    event = {
        "run_id": "mpg-1",
        "bucket": BUCKET,
        "key": "incoming/cars.csv",
        "version_id": version,
        "size": 12,
        "default_workload": "auto_mpg",
    }
    with pytest.raises(Exception, match="semicolons") as raised:
        check_upload.handler(event, context)
    assert type(raised.value).__name__ == "UploadRefused"


def together(world: World, *files: tuple[str, bytes], **changes: Any) -> Upload:
    """The uploads of a retraining, the earliest first."""
    uploads = [{"key": key, "version_id": world.put(key, body), "size": len(body)} for key, body in files]
    newest = {**uploads[-1], "size": sum(len(body) for _, body in files)}
    event = {"run_id": "mpg-1", "bucket": BUCKET, "default_workload": "auto_mpg", **newest}
    return Upload.from_event({**event, "uploads": uploads, **changes})


HEADER = GOOD.partition(b"\n")[0] + b"\n"
OTHER = HEADER + b"".join(GOOD.splitlines(keepends=True)[100:200])


def test_several_uploads_are_kept_with_a_list_of_them_whose_digest_counts(world: World) -> None:
    answer = check(
        together(world, ("incoming/a.csv", GOOD), ("incoming/auto_mpg/b.csv", OTHER)), whole_up_to=1_000_000
    )
    listed = content(world, "runs/mpg-1/input/upload.list.json")
    assert answer["suffix"] == ".list.json"
    assert answer["upload_key"] == "runs/mpg-1/input/upload.list.json"
    assert answer["digest"] == f"sha256:{hashlib.sha256(listed).hexdigest()}"
    assert (answer["workload"], answer["checked"], answer["reuse"]) == ("auto_mpg", "whole", True)
    assert json.loads(listed) == {
        "files": [
            {
                "file": f"upload.{place:05}.csv",
                "digest": f"sha256:{hashlib.sha256(body).hexdigest()}",
                "name": name,
            }
            for place, (name, body) in enumerate(
                [("incoming/a.csv", GOOD), ("incoming/auto_mpg/b.csv", OTHER)]
            )
        ]
    }
    assert content(world, "runs/mpg-1/input/upload.00000.csv") == GOOD
    assert content(world, "runs/mpg-1/input/upload.00001.csv") == OTHER


def test_the_list_is_the_same_for_the_same_uploads_so_that_its_result_can_be_reused(world: World) -> None:
    upload = together(world, ("incoming/a.csv", GOOD), ("incoming/b.csv", OTHER))
    first = check(upload, whole_up_to=1_000_000)
    assert check(replace(upload, run_id="mpg-2"), whole_up_to=1_000_000)["digest"] == first["digest"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("incoming/a.csv", b"no,car\n1,2\n"), ("incoming/b.csv", GOOD)], "^incoming/a.csv, line 1: "),
        (
            [("incoming/digits/a.parquet", b"PAR1"), ("incoming/b.csv", GOOD)],
            "^incoming/digits/a.parquet is for digits, and not for auto_mpg$",
        ),
        ([("incoming/a.csv", GOOD)] * 101, "can use at most 100 files together$"),
    ],
)
def test_uploads_that_do_not_fit_are_refused_in_words(
    world: World, files: list[tuple[str, bytes]], words: str
) -> None:
    with pytest.raises(UploadRefused, match=words):
        check(together(world, *files), whole_up_to=10_000_000)


def test_together_they_may_have_as_many_bytes_as_one(world: World) -> None:
    upload = replace(together(world, ("incoming/a.csv", GOOD), ("incoming/b.csv", GOOD)), size=11 << 30)
    with pytest.raises(UploadRefused, match=r"at most 10,737,418,240 can be used"):
        check(upload, whole_up_to=1_000_000)


def test_one_of_several_that_was_deleted_meanwhile_is_named(world: World) -> None:
    upload = together(world, ("incoming/a.csv", GOOD), ("incoming/b.csv", GOOD))
    world.s3.delete_object(Bucket=BUCKET, Key="incoming/a.csv", VersionId=upload.together[0].version_id)
    with pytest.raises(UploadRefused, match=r"^incoming/a\.csv: "):
        check(upload, whole_up_to=1_000_000)

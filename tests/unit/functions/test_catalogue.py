"""The approved models, newest first, and links to their files, for callers with IAM."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from approval.request import Decision
from handlers import download_model, list_models
from tests.unit.functions.catalogue import (
    ADA,
    GROUP_PREFIX,
    get,
    prepare_catalogue,
    publish,
    record,
    register,
)
from tests.unit.functions.conftest import BUCKET, World, make_context
from tests.unit.functions.fakes import service_error


@pytest.fixture(autouse=True)
def _catalogue(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from prepare_catalogue(monkeypatch)


def models(**asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = list_models.handler(asked, make_context())["models"]
    return found


def versions(**asked: Any) -> list[tuple[str, int]]:
    return [(model["workload"], model["version"]) for model in models(**asked)]


def download(**asked: Any) -> dict[str, Any]:
    return download_model.handler({"workload": "iris", "version": 1, **asked}, make_context())


def test_only_approved_versions_of_this_stack_are_listed_newest_first(world: World) -> None:
    register(world, 1)
    register(world, 2, status="Rejected")
    register(world, 3, "two_words")
    register(world, 4, status="PendingManualApproval")
    register(world, 5)
    world.sagemaker.register(
        "arn:aws:sagemaker:us-east-1:000000000000:model-package/another--iris/1", "Approved"
    )
    assert versions() == [("iris", 5), ("two_words", 3), ("iris", 1)]
    assert versions(workload="two_words") == [("two_words", 3)]


def test_nothing_approved_yet_is_an_empty_list(world: World) -> None:
    assert list_models.handler({}, make_context()).items() >= {"models": [], "next": None}.items()


def test_an_entry_says_all_that_the_contract_promises(world: World) -> None:
    publish(world)
    model = register(world)
    record(world, model)
    world.table.put_item(
        Item={
            "pk": "live#iris",
            "workload": "iris",
            "package_arn": model.arn,
            "since": "2026-03-01T09:50:00Z",
        }
    )
    [entry] = models()
    metrics, formats = entry.pop("metrics"), entry.pop("formats")
    assert entry == {
        "workload": "iris",
        "title": "Flowers",
        "description": "Tells flowers apart",
        "version": 1,
        "package_arn": model.arn,
        "approved_at": "2026-03-01T09:41:00Z",
        "approved_by": "Ada Lovelace",
        "live": True,
        "live_since": "2026-03-01T09:50:00Z",
        "gate": {"metric": "mse", "at_most": 46.0, "passed": True},
        "form": {"kind": "fields", "fields": []},
        "problem": None,
    }
    assert metrics[0] == {
        "name": "mse", "label": "Mean squared error", "value": 8.7312, "unit": "", "better": "lower",
    }  # fmt: skip
    assert formats == {
        "native": {"digest": model.digests["model"], "bytes": 8},
        "onnx": {"digest": model.digests["onnx"], "bytes": 6},
    }
    json.dumps(entry)


def test_only_the_released_version_is_live(world: World) -> None:
    register(world, 1)
    second = register(world, 2)
    world.table.put_item(Item={"pk": "live#iris", "package_arn": second.arn, "since": "2026-03-01T09:50:00Z"})
    assert [(m["version"], m["live"], m["live_since"]) for m in models()] == [
        (2, True, "2026-03-01T09:50:00Z"),
        (1, False, None),
    ]


def test_without_a_record_sagemaker_says_who_approved(world: World) -> None:
    model = register(world)
    world.sagemaker.decide(model.arn, "Approved", by="grace")
    [entry] = models()
    assert (entry["approved_by"], entry["approved_at"]) == ("grace", "2026-03-02T08:15:00Z")


def test_an_approval_that_overturned_the_recorded_rejection_counts(world: World) -> None:
    model = register(world)
    record(world, model, Decision("rejected", "Ada", "no", "2026-03-01T09:41:00Z", via="review page"))
    world.sagemaker.decide(model.arn, "Approved", by="grace")
    assert models()[0]["approved_by"] == "grace"


def test_a_workload_that_is_published_no_longer_keeps_the_title_of_its_evaluation(world: World) -> None:
    register(world)
    [entry] = models()
    assert (entry["title"], entry["description"], entry["form"]) == ("Fuel economy of cars", "", None)


def test_a_model_without_onnx_has_the_native_format_only(world: World) -> None:
    register(world, onnx=False)
    [entry] = models()
    assert (entry["formats"]["onnx"], entry["problem"]) == (None, None)
    assert download(format="onnx") == {"error": "Version 1 has no onnx file."}


@pytest.mark.parametrize("name", ["model.tar.gz", "model.onnx"])
@pytest.mark.parametrize("how", ["changed", "deleted"])
def test_a_file_that_is_gone_or_changed_is_named_and_hides_nothing_else(
    world: World, name: str, how: str
) -> None:
    model = register(world, 1)
    register(world, 2)
    if how == "deleted":
        world.s3.delete_object(Bucket=BUCKET, Key=model.key(name))
    else:
        world.put(model.key(name), b"another", ChecksumAlgorithm="SHA256")
    second, first = models()
    assert second["problem"] is None
    assert first["problem"] == f"{model.key(name)} was {how} after it was evaluated."
    broken, whole = ("native", "onnx") if name == "model.tar.gz" else ("onnx", "native")
    assert (first["formats"][broken], first["metrics"]) == (None, second["metrics"])
    assert first["formats"][whole]
    assert download(format=broken) == {"error": first["problem"]}
    assert download(format=whole)["digest"] == first["formats"][whole]["digest"]


def test_figures_that_were_changed_are_shown_to_nobody(world: World) -> None:
    model = register(world)
    world.put(model.key("evaluation.json"), json.dumps({"metrics": []}).encode())
    [entry] = models()
    assert "evaluation.json was changed after it was registered" in entry["problem"]
    assert (entry["metrics"], entry["gate"], entry["formats"]) == ([], None, {"native": None, "onnx": None})


def test_a_model_that_s3_does_not_give_hides_no_other(
    world: World, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(world, 1)
    register(world, 2)
    whole = world.s3.head_object

    def head_object(**request: Any) -> Any:
        if "00000001" in request["Key"]:
            raise service_error("403", "HeadObject", "a text that nobody should read")
        return whole(**request)

    monkeypatch.setattr(world.s3, "head_object", head_object)
    assert [model["problem"] for model in models()] == [None, "Its files cannot be read at the moment."]
    assert "HeadObject" in log.getvalue()
    assert "nobody should read" not in log.getvalue()


def test_a_second_list_reads_no_evaluation_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    record(world, register(world))
    first = models()
    monkeypatch.setattr(world.s3, "get_object", lambda **request: pytest.fail(str(request)))
    assert models() == first


def test_pages_follow_each_other_without_gap_or_repetition(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in range(1, 8):
        register(world, version, ("iris", "two_words")[version % 2], onnx=False)
    at_once = next(iter(world.sagemaker.packages.values()))["CreationTime"]
    for index, package in enumerate(world.sagemaker.packages.values()):
        # Several in the same moment, and in the same second.
        package["CreationTime"] = at_once + timedelta(milliseconds=400 * (index // 3))
    whole = versions()
    assert len(whole) == 7
    for size in (1, 2, 3, 6, 7):
        monkeypatch.setattr("catalogue.packages.PAGE", size)
        found, token = [], None
        while True:
            page = list_models.handler({"next": token} if token else {}, make_context())
            found += [(model["workload"], model["version"]) for model in page["models"]]
            token = page["next"]
            if token is None:
                break
            assert len(page["models"]) == size
        assert found == whole


@pytest.mark.parametrize("token", ["x", "é", "YWJj", "A" * 5000])
def test_an_invented_token_is_refused_in_words(world: World, token: str) -> None:
    answer = list_models.handler({"next": token}, make_context())
    assert answer == {"error": "This is not a page of the list: start again without `next`."}


@pytest.mark.parametrize("name", ["unknown", "Iris", "../iris", "x" * 100, "iris--"])
def test_an_unknown_workload_is_refused_with_those_there_are(world: World, name: str) -> None:
    register(world, 1)
    expected = {"error": "There is no workload of this name. There are iris."}
    assert list_models.handler({"workload": name}, make_context()) == expected
    assert download(workload=name) == expected


def test_a_link_gives_the_file_under_its_name_for_minutes(world: World) -> None:
    model = register(world, 7)
    for of, name, filename in (
        ("native", "model.tar.gz", "iris-7.tar.gz"),
        ("onnx", "model.onnx", "iris-7.onnx"),
    ):
        answer = download(version=7, format=of)
        digest = model.digests["onnx" if of == "onnx" else "model"]
        assert (answer["digest"], answer["filename"]) == (digest, filename)
        url = urlsplit(answer["url"])
        query = {key: value for key, [value] in parse_qs(url.query).items()}
        assert url.path == f"/{model.key(name)}"
        assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
        assert int(query["X-Amz-Expires"]) <= 900
        assert query["response-content-disposition"] == f'attachment; filename="{filename}"'


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"version": 2}, "There is no version 2 of iris."),
        ({"version": 0}, "There is no version 0 of iris."),
        ({"version": 3}, "Version 3 of iris is not approved."),
        ({"version": 4}, "Version 4 of iris is not approved."),
        ({"version": "seven"}, "`version` has to be a whole number."),
        ({"version": -1}, "`version` has to be a whole number."),
        ({"version": None}, "`version` has to be a whole number."),
        ({"workload": ""}, "`workload` is missing."),
        ({"format": "pickle"}, "There is no such format: choose one of native, onnx."),
    ],
)
def test_what_may_not_be_downloaded_is_refused_in_words(
    world: World, asked: dict[str, Any], words: str
) -> None:
    register(world, 1)
    register(world, 3, status="PendingManualApproval")
    register(world, 4, status="Rejected")
    assert download(**asked) == {"error": words}


def test_a_function_url_gets_the_same_over_http(world: World) -> None:
    register(world)
    found = list_models.handler(get("/", query={"workload": "iris"}), make_context())
    assert (found["statusCode"], found["headers"]["Content-Type"]) == (200, "application/json")
    assert [model["version"] for model in json.loads(found["body"])["models"]] == [1]
    query = {"workload": "iris", "version": "1", "format": "onnx"}
    found = download_model.handler(get("/", query=query), make_context())
    assert json.loads(found["body"])["filename"] == "iris-1.onnx"
    refused = download_model.handler(get("/", query={**query, "version": "9"}), make_context())
    assert (refused["statusCode"], json.loads(refused["body"])) == (
        404,
        {"error": "There is no version 9 of iris."},
    )
    assert download_model.handler(get("/", method="POST"), make_context())["statusCode"] == 405
    head = list_models.handler(get("/", method="HEAD"), make_context())
    assert (head["statusCode"], head["body"]) == (200, "")


def test_a_group_whose_name_merely_contains_the_prefix_is_another_stacks(world: World) -> None:
    register(world)
    other = f"arn:aws:sagemaker:us-east-1:000000000000:model-package/x-{GROUP_PREFIX}-iris/1"
    world.sagemaker.register(other, "Approved")
    assert [model["package_arn"] for model in models()] != [other]
    assert len(models()) == 1


def test_the_decision_in_the_record_needs_no_further_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(world, register(world), ADA)
    monkeypatch.setattr("catalogue.models.read_status", lambda arn: pytest.fail(arn))
    assert models()[0]["approved_by"] == "Ada Lovelace"

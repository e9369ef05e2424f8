"""The public page: who gets in, what is answered, and how often."""

import base64
import gzip
import io
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalogue import links
from handlers import catalogue, issue_catalogue_link
from shared.text import now, timestamp
from tests.unit.functions.catalogue import get, new_link, prepare_catalogue, publish, register
from tests.unit.functions.conftest import World, make_context
from tests.unit.functions.fakes import service_error
from web import site

PAGE = b"<!doctype html><title>Models</title>"
SCRIPT = b"export const answer = 42;\n" * 100
ENGINE = b"\0asm" + bytes(5000)
JSON_PATHS = ("/models.json", "/models/iris/1.json", "/models/iris/1/onnx", "/models/iris/1/native")


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, content in {
        "index.html": PAGE,
        "worker.js": b"self.onfetch = () => {};",
        "app.js": SCRIPT,
        "app.3f9a1c27.js": SCRIPT,
        "vendor-1.30.0/engine.wasm.gz": gzip.compress(ENGINE),
        "icon.png": b"\x89PNG" + bytes(5000),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(site, "FOLDER", tmp_path)
    yield from prepare_catalogue(monkeypatch)


def send(path: str, **how: Any) -> dict[str, Any]:
    return catalogue.handler(get(path, **how), make_context())


def issue(**asked: Any) -> dict[str, Any]:
    return issue_catalogue_link.handler(asked, make_context())


def body(answer: dict[str, Any]) -> bytes:
    """What the browser makes of it."""
    sent = answer["body"].encode()
    sent = base64.b64decode(sent) if answer.get("isBase64Encoded") else sent
    return gzip.decompress(sent) if answer["headers"].get("Content-Encoding") == "gzip" else sent


def move_clock(monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    later = now() + timedelta(**by)
    monkeypatch.setattr("catalogue.links.now", lambda: later)


# Links


def test_a_link_opens_the_page_until_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = issue(issued_by="Ada")
    path = "/" + issued["url"].split("/", 3)[3]
    assert re.fullmatch(r"/catalogue/[A-Za-z0-9_-]{43}/", path)
    assert datetime.fromisoformat(issued["expires_at"]) - now() > timedelta(days=6, hours=23)
    answer = send(path)
    assert (answer["statusCode"], body(answer)) == (200, PAGE)
    move_clock(monkeypatch, days=7)
    answer = send(path)
    assert answer["statusCode"] == 410
    assert "This link has expired." in answer["body"]


def test_the_table_knows_a_link_by_its_hash_only(world: World) -> None:
    link = new_link()
    send(f"{link}/")
    [item] = [item for item in world.items() if item["pk"].startswith("catalogue#")]
    assert item.keys() == {"pk", "expires_at", "issued_at", "issued_by"}
    assert link.rpartition("/")[2] not in str(world.items())
    assert send(f"/catalogue/{item['pk'].removeprefix('catalogue#')[:43]}/")["statusCode"] == 404


@pytest.mark.parametrize("days", [0, 366, -1, "x", 1.5])
def test_a_link_for_an_impossible_time_is_refused_in_words(world: World, days: Any) -> None:
    assert "error" in issue(days=days)
    assert world.items() == []


def test_a_revoked_link_opens_nothing_and_others_still_do(world: World) -> None:
    url, other = issue()["url"], new_link()
    assert issue(revoke=url) == {"revoked": 1}
    assert issue(revoke=url) == {"revoked": 0}
    path = "/" + url.split("/", 3)[3]
    assert send(path)["statusCode"] == 410
    assert "revoked" in send(path)["body"]
    assert send(f"{other}/")["statusCode"] == 200


def test_all_links_can_be_revoked_at_once(world: World) -> None:
    opened = [new_link() for _ in range(3)]
    for link in opened:
        send(f"{link}/")
    assert issue(revoke="all") == {"revoked": 3}
    assert issue(revoke="all") == {"revoked": 0}
    assert {send(f"{link}/")["statusCode"] for link in opened} == {410}


@pytest.mark.parametrize(
    "what", ["", "nonsense", "https://x.example/review/" + "a" * 42, None, 7, "catalogue#"]
)
def test_what_is_no_link_is_not_revoked(world: World, what: Any) -> None:
    new_link()
    assert "error" in issue(revoke=what)
    assert "revoked_at" not in str(world.items())


def test_a_link_that_was_never_issued_cannot_be_revoked_into_being(world: World) -> None:
    assert issue(revoke="a" * 43) == {"revoked": 0}
    assert world.items() == []


# Requests


def test_more_requests_a_minute_than_allowed_are_refused_until_the_next_minute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now().replace(second=20)
    monkeypatch.setattr("catalogue.links.now", lambda: moment)
    link, other = new_link(), new_link()
    assert [send(f"{link}/models.json")["statusCode"] for _ in range(6)] == [*[200] * 5, 429]
    refused = send(f"{link}/")
    assert (refused["statusCode"], refused["headers"]["Retry-After"]) == (429, "40")
    assert send(f"{other}/")["statusCode"] == 200
    monkeypatch.setattr("catalogue.links.now", lambda: moment + timedelta(seconds=40))
    assert send(f"{link}/")["statusCode"] == 200


def test_the_counts_expire_and_guesses_are_not_counted(world: World) -> None:
    send(f"{new_link()}/")
    for _ in range(3):
        send(f"/catalogue/{'a' * 43}/")
    [counted] = [item for item in world.items() if item["pk"].startswith("catalogue-requests#")]
    assert (counted["requests"], int(counted["expires_at"]) - now().timestamp() < 600) == (1, True)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_possible(world: World, method: str) -> None:
    link = new_link()
    for path in (f"{link}/", f"{link}/models.json", "/assets/app.js", "/"):
        answer = send(path, method=method)
        assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, "GET, HEAD")
    assert "requests" not in str(world.items())


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/catalogue", "/catalogue/", "/review/" + "a" * 43, "/favicon.ico", "//", "/catalogue/x/../y"),
        *(
            f"/catalogue/{'a' * 42}/",
            f"/catalogue/{'a' * 44}/",
            f"/catalogue/{'a' * 42}!/",
            f"/catalogue/{'é' * 43}/",
        ),
        "/" + "x" * 100_000,
        f"/catalogue/{'a' * 43}/",
        *("/assets/", "/assets/../web/site.py", "/assets//etc/passwd", "/assets/%2e%2e/x", "/assets/app.js/"),
        *(
            "/assets/index.html.gz",
            "/assets/vendor-1.30.0/engine.wasm.gz",
            "/assets/app.js\r\nX: y",
            "/assets/.",
        ),
    ],
)
def test_any_other_path_is_a_404_that_tells_nothing(world: World, path: str) -> None:
    answer = send(path)
    assert answer["statusCode"] == 404
    assert len(answer["body"]) < 8000
    assert all("\n" not in value for value in answer["headers"].values())


@pytest.mark.parametrize(
    "path",
    [
        "/models/iris/1",
        "/models/iris/0.json",
        "/models/Iris/1.json",
        "/models/../1.json",
        "/x\n",
        "/models/iris/1/",
    ],
)
def test_any_other_path_below_a_link_is_a_404(world: World, path: str) -> None:
    register(world)
    answer = send(f"{new_link()}{path}")
    assert (answer["statusCode"], "error" in json.loads(answer["body"])) == (404, True)


def test_the_address_without_its_last_slash_leads_to_the_folder(world: World) -> None:
    link = new_link()
    answer = send(link)
    assert (answer["statusCode"], answer["headers"]["Location"]) == (308, f"{link}/")


def test_head_has_the_headers_of_the_whole_answer(world: World) -> None:
    register(world)
    link = new_link()
    for path in (f"{link}/", "/assets/app.js"):
        whole, head = send(path, accept_encoding="gzip"), send(path, method="HEAD", accept_encoding="gzip")
        assert (head["statusCode"], head["headers"], head["body"]) == (200, whole["headers"], "")


# Data


def test_the_list_has_the_links_end_and_follows_its_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(world)
    register(world, 1)
    register(world, 2)
    register(world, 3, "two_words")
    monkeypatch.setattr("catalogue.packages.PAGE", 1)
    link = new_link(days=1)
    answer = send(f"{link}/models.json", query={"workload": "iris"})
    first = json.loads(answer["body"])
    assert answer["headers"]["Content-Type"] == "application/json"
    assert [model["version"] for model in first["models"]] == [2]
    assert datetime.fromisoformat(first["expires_at"]) - now() < timedelta(days=1, seconds=1)
    second = json.loads(
        send(f"{link}/models.json", query={"workload": "iris", "next": first["next"]})["body"]
    )
    assert ([model["version"] for model in second["models"]], second["next"]) == ([1], None)
    refused = send(f"{link}/models.json", query={"next": "no token"})
    assert refused["statusCode"] == 400


def test_one_model_comes_with_its_evaluation_and_a_link_to_its_file(world: World) -> None:
    model = register(world, 7)
    link = new_link()
    whole = json.loads(send(f"{link}/models/iris/7.json")["body"])
    assert whole["evaluation"]["digests"]["onnx"] == model.digests["onnx"]
    assert whole["version"] == 7
    found = json.loads(send(f"{link}/models/iris/7/onnx")["body"])
    assert found.keys() == {"url", "digest", "bytes", "filename"}
    assert found["digest"] == model.digests["onnx"]


def test_a_model_that_is_not_approved_is_refused(world: World) -> None:
    register(world, 1, status="Rejected")
    link = new_link()
    for path in JSON_PATHS[1:]:
        answer = send(f"{link}{path}")
        assert (answer["statusCode"], json.loads(answer["body"])) == (
            403,
            {"error": "Version 1 of iris is not approved."},
        )


def test_a_closed_link_closes_its_data_too(world: World) -> None:
    register(world)
    link = new_link()
    links.revoke(link)
    for path in JSON_PATHS:
        answer = send(f"{link}{path}")
        assert (answer["statusCode"], "revoked" in json.loads(answer["body"])["error"]) == (410, True)


def test_an_error_shows_no_internals_and_is_logged_without_the_link(world: World, log: io.StringIO) -> None:
    link = new_link()
    world.sagemaker.broken = "InternalFailure"
    answer = send(f"{link}/models.json")
    assert (answer["statusCode"], list(json.loads(answer["body"]))) == (503, ["error"])
    assert "InternalFailure" in log.getvalue()
    assert link.rpartition("/")[2] not in log.getvalue()


def test_no_log_and_no_metric_has_a_links_id(
    world: World, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    register(world)
    url = issue()["url"]
    path, link_id = "/" + url.split("/", 3)[3].rstrip("/"), url.split("/")[-2]
    for rest in ("", "/", *JSON_PATHS, "/none"):
        send(f"{path}{rest}")
    issue(revoke=url)
    send(f"{path}/")
    recorded = log.getvalue() + capsys.readouterr().out
    assert "answered" in recorded
    assert "CataloguePage2xx" in recorded
    assert link_id not in recorded


# Files and headers


def test_text_is_compressed_for_those_who_take_it(world: World) -> None:
    plain, zipped = send("/assets/app.js"), send("/assets/app.js", accept_encoding="br, gzip;q=0.5")
    assert body(plain) == body(zipped) == SCRIPT
    assert "Content-Encoding" not in plain["headers"]
    assert zipped["headers"]["Content-Encoding"] == "gzip"
    assert len(zipped["body"]) < len(plain["body"]) / 10
    assert "Content-Encoding" not in send("/assets/app.js", accept_encoding="gzip;q=0")["headers"]
    assert "Content-Encoding" not in send("/assets/icon.png", accept_encoding="gzip")["headers"]


def test_a_file_compressed_ahead_is_served_under_its_own_name(world: World) -> None:
    answer = send("/assets/vendor-1.30.0/engine.wasm", accept_encoding="gzip")
    assert body(answer) == ENGINE
    assert answer["headers"]["Content-Type"] == "application/wasm"


def test_a_file_that_the_browser_has_is_not_sent_again(world: World) -> None:
    first = send("/assets/app.js")
    etag = first["headers"]["ETag"]
    for given in (etag, f'"other", {etag}', "*"):
        answer = send("/assets/app.js", if_none_match=given)
        assert (answer["statusCode"], answer["body"], answer["headers"]["ETag"]) == (304, "", etag)
    assert send("/assets/app.js", if_none_match='"other"')["statusCode"] == 200


@pytest.mark.parametrize(
    ("name", "caching"),
    [
        ("app.js", "no-cache"),
        ("app.3f9a1c27.js", "public, max-age=31536000, immutable"),
        ("vendor-1.30.0/engine.wasm", "public, max-age=31536000, immutable"),
    ],
)
def test_only_a_file_that_never_changes_is_kept_unasked(world: World, name: str, caching: str) -> None:
    assert send(f"/assets/{name}")["headers"]["Cache-Control"] == caching


def test_the_page_loads_nothing_but_its_own_files_and_models(world: World) -> None:
    link = new_link()
    for path in (f"{link}/", f"{link}/worker.js"):
        headers = send(path)["headers"]
        policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self' 'wasm-unsafe-eval'",
            "style-src": "'self'",
            "img-src": "'self' data: blob:",
            "connect-src": "'self' https://mpg-pipeline-bucket.s3.amazonaws.com",
            "manifest-src": "'self'",
            "worker-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        assert headers["Cache-Control"] == "no-cache"


def test_every_answer_keeps_the_address_to_itself(world: World) -> None:
    register(world)
    link = new_link()
    paths = [
        link,
        *(f"{link}{rest}" for rest in ("/", "/worker.js", *JSON_PATHS, "/none")),
        "/none",
        "/assets/none",
    ]
    for path in [*paths[:5], *(path.replace(link, new_link()) for path in paths[5:])]:
        headers = send(path)["headers"]
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert headers.items() >= {
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("X-Robots-Tag", "noindex, nofollow, noarchive"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        }
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] in ("no-store", "no-cache")


def test_a_page_that_is_not_deployed_is_a_404(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(site, "FOLDER", tmp_path / "none")
    assert send(f"{new_link()}/")["statusCode"] == 404


def test_a_service_that_refuses_to_count_lets_nobody_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = new_link()
    monkeypatch.setattr(
        "catalogue.links._count", lambda *args: (_ for _ in ()).throw(service_error("X", "UpdateItem"))
    )
    assert send(f"{link}/")["statusCode"] == 503


def test_the_end_of_a_link_is_a_timestamp(world: World) -> None:
    link_id, ends = links.issue(3, "x")
    assert links.check(link_id) == ends == timestamp(datetime.fromisoformat(ends))

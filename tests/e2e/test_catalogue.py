"""The catalogue: from the command line, with signed requests, and behind a link that strangers attack."""

import hashlib
import json
import re
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.embedded.access import ROOT_ACCESS_KEY
from local.embedded.mailbox import on_this_machine
from tests.e2e.catalogue import WORKLOAD, Catalogue
from tests.e2e.test_approval_secrets import log_lines
from tests.e2e.visitor import look, send


@pytest.fixture
def another(catalogue: Catalogue) -> Catalogue:
    """The same behind a link of its own, which a test may spoil."""
    found = catalogue.up.call("IssueCatalogueLinkFunction")
    return replace(catalogue, link=on_this_machine(found["url"], catalogue.up.port))


# For people with an AWS account


def test_the_command_line_lists_and_downloads_what_was_approved(catalogue: Catalogue, tmp_path: Path) -> None:
    call = catalogue.up.place.call
    [model] = [m for m in json.loads(call("models", "--json").stdout) if m["version"] == catalogue.version]
    assert (model["workload"], model["approved_by"], model["problem"]) == (WORKLOAD, "Ada Lovelace", None)
    assert model["form"]["kind"] == "fields"
    for of, kept in model["formats"].items():
        if kept:
            path = tmp_path / of
            done = call("download", str(catalogue.version), "--format", of, "--to", str(path))
            assert (done.returncode, kept["digest"] in done.stdout) == (0, True), done.stdout
            assert f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" == kept["digest"]
            assert path.stat().st_size == kept["bytes"]


def test_a_signed_request_to_the_functions_addresses_is_answered_and_no_other(catalogue: Catalogue) -> None:
    up = catalogue.up
    url = on_this_machine(up.outputs["ListModelsUrl"], up.port) + "?workload=auto_mpg"
    request = AWSRequest("GET", url, headers={"Host": urlsplit(url).netloc})
    SigV4Auth(Credentials(ROOT_ACCESS_KEY, up.endpoint.secret), "lambda", "us-east-1").add_auth(request)
    answer = send("GET", url, headers={**request.headers})
    assert answer.status == 200, answer.html
    assert catalogue.version in [model["version"] for model in json.loads(answer.html)["models"]]
    assert send("GET", url).status == 403
    forged = {**request.headers, "Authorization": request.headers["Authorization"][:-1] + "x"}
    assert send("GET", url, headers=forged).status == 403


# Behind the link


def test_the_page_and_its_data_are_behind_the_link(catalogue: Catalogue) -> None:
    page = look(catalogue.link)
    assert (page.status, "<title>" in page.html) == (200, True)
    listed = catalogue.get("models.json")
    [model] = [m for m in listed["models"] if m["package_arn"] == catalogue.asked.package_arn]
    assert catalogue.get(f"models/{WORKLOAD}/{catalogue.version}.json")["evaluation"]["figures"]
    found = catalogue.model()
    with urllib.request.urlopen(found["url"], timeout=60) as answer:
        content = answer.read()
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{found["filename"]}"'
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == found["digest"]
    assert model["formats"]["native"] == {"digest": found["digest"], "bytes": len(content)}


def origin_of(link: str) -> dict[str, str]:
    return {
        "Origin": link.partition("/catalogue/")[0],
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "cors",
    }


def test_only_the_page_may_load_the_file_by_its_link(catalogue: Catalogue) -> None:
    url = catalogue.model()["url"]
    own = origin_of(catalogue.link)
    for origin, allowed in ((own["Origin"], own["Origin"]), ("https://evil.example", None), ("null", None)):
        request = urllib.request.Request(url, headers={**own, "Origin": origin})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found = answer.headers["Access-Control-Allow-Origin"]
        except urllib.error.HTTPError as error:
            found = error.headers["Access-Control-Allow-Origin"]
        assert found == allowed, origin


def test_a_bucket_without_the_rule_gives_a_page_nothing(catalogue: Catalogue) -> None:
    s3, bucket = catalogue.up.client("s3"), catalogue.up.outputs["BucketName"]
    rules = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert rules == [
        {
            "AllowedMethods": ["GET"],
            "AllowedOrigins": ["https://*.lambda-url.us-east-1.on.aws"],
            "MaxAgeSeconds": 3600,
        }
    ]
    s3.delete_bucket_cors(Bucket=bucket)
    try:
        request = urllib.request.Request(catalogue.model()["url"], headers=origin_of(catalogue.link))
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] is None
    finally:
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})


@pytest.mark.parametrize(
    "change",
    [
        ("/models/", "/runs/"),
        ("model.tar.gz", "evaluation.json"),
        ("X-Amz-Expires=", "X-Amz-Expires=9"),
        ("attachment", "inline"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
    ],
)
def test_a_link_to_a_file_leads_to_that_file_only(catalogue: Catalogue, change: tuple[str, str]) -> None:
    url = catalogue.model()["url"]
    assert change[0] in url
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url.replace(*change, 1), timeout=60)
    assert refused.value.code in (400, 403)


# Attacks


def test_a_link_that_was_never_issued_opens_nothing(catalogue: Catalogue) -> None:
    site = catalogue.link.partition("catalogue/")[0]
    guesses = [
        "a" * 43,
        catalogue.link_hash[:43],
        catalogue.link_hash,
        catalogue.link.split("/")[-2][:-1] + "!",
        catalogue.asked.link_id,
        "..",
    ]
    for guess in guesses:
        for rest in ("", "models.json", f"models/{WORKLOAD}/{catalogue.version}/native"):
            answer = look(f"{site}catalogue/{guess}/{rest}")
            assert (answer.status, "arn:aws" in answer.html) == (404, False), guess


@pytest.mark.parametrize(
    "path",
    [
        *(
            "assets/../web/site.py",
            "assets/..%2fweb/site.py",
            "assets/%2e%2e/%2e%2e/etc/passwd",
            "assets//etc/passwd",
        ),
        *(
            "assets/",
            "assets/index.html%00.png",
            "assets/app.js%0d%0aX-Injected:%20yes",
            "assets/" + "a/" * 2000,
        ),
        *(
            "web/site.py",
            "review/",
            "2015-03-31/functions",
            "_mpg/mails",
            "x" * 8000,
            "%0d%0aSet-Cookie:%20a=b",
        ),
    ],
)
def test_no_other_path_leads_anywhere(catalogue: Catalogue, path: str) -> None:
    answer = look(f"{catalogue.link.partition('catalogue/')[0]}{path}")
    assert answer.status in (400, 403, 404), answer.html[:200]
    assert not {"x-injected", "set-cookie"} & answer.headers.keys()
    assert "import " not in answer.html


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_other_method_does_anything(catalogue: Catalogue, method: str) -> None:
    for rest in ("", "models.json", f"models/{WORKLOAD}/{catalogue.version}.json"):
        answer = send(method, f"{catalogue.link}{rest}", "x=1", {"Content-Type": "text/plain"})
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_closed_link_stays_closed(another: Catalogue) -> None:
    assert look(another.link).status == 200
    assert another.up.call("IssueCatalogueLinkFunction", revoke=another.link) == {"revoked": 1}
    for rest in ("", "worker.js", "models.json"):
        answer = look(f"{another.link}{rest}")
        assert (answer.status, "was revoked" in answer.html) == (410, True)


def test_an_expired_link_opens_nothing(another: Catalogue) -> None:
    another.put(f"catalogue#{another.link_hash}", expires_at={"N": str(int(time.time()) - 1)})
    answer = look(another.link)
    assert (answer.status, "has expired" in answer.html) == (410, True)


def test_too_many_requests_through_a_link_have_to_wait(another: Catalogue) -> None:
    minute = int(time.time()) // 60
    for of in (minute, minute + 1):
        another.put(f"catalogue-requests#{another.link_hash}#{of}", requests={"N": "120"})
    answer = look(f"{another.link}models.json")
    assert (answer.status, "Too many requests" in json.loads(answer.html)["error"]) == (429, True)
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_simultaneous_requests_are_all_counted(another: Catalogue) -> None:
    with ThreadPoolExecutor(3) as visitors:
        answers = list(visitors.map(lambda _: look(another.link).status, range(16)))
    assert answers == [200] * 16
    counted = [
        int(item["requests"]["N"])
        for item in another.up.records()
        if item["pk"]["S"].startswith(f"catalogue-requests#{another.link_hash}")
    ]
    assert sum(counted) == 16


def test_neither_table_nor_log_has_the_links_id(catalogue: Catalogue) -> None:
    link_id = catalogue.link.split("/")[-2]
    catalogue.get("models.json")
    lines = log_lines(catalogue.up)
    assert any('"message":"catalogue link issued"' in line for line in lines)
    assert [line for line in lines if link_id in line] == []
    assert link_id not in json.dumps(catalogue.up.records())


def test_every_answer_forbids_what_the_page_never_needs(catalogue: Catalogue) -> None:
    for rest in ("", "models.json", "none", "../"):
        headers = look(f"{catalogue.link}{rest}").headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers.items() >= {("referrer-policy", "no-referrer"), ("x-content-type-options", "nosniff")}
    policy = look(catalogue.link).headers["content-security-policy"]
    assert re.search(rf"connect-src 'self' http://127\.0\.0\.1:{catalogue.up.port};", policy)

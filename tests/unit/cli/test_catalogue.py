"""`mpg models`, `mpg download` and `mpg catalogue`."""

import hashlib
import io
import json
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.problems import Trouble
from local.cli import catalogue
from local.cli.catalogue import HEADER, row, save
from local.cli.endpoint import Endpoint
from local.cli.instance import Note

CONTENT = b"a model" * 1000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MODEL: dict[str, Any] = {
    "workload": "iris",
    "version": 7,
    "live": True,
    "live_since": "2026-03-01T09:50:00Z",
    "approved_at": "2026-03-01T09:41:00Z",
    "approved_by": "Ada",
    "gate": {"metric": "error", "at_most": 0.2},
    "metrics": [{"name": "error", "label": "Error", "value": 0.0412, "unit": "", "better": "lower"}],
    "formats": {"native": {"digest": DIGEST, "bytes": 1}, "onnx": None},
    "problem": None,
}
LINK = "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/catalogue/x/"


class Functions:
    """Lambda's Invoke, answered by name of the function; records what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.asked: list[dict[str, Any]] = []
        self.failed = False

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        asked = json.loads(Payload)
        self.asked.append(asked)
        answer = json.dumps(self.answers[FunctionName](asked)).encode()
        failed = {"FunctionError": "Unhandled"} if self.failed else {}
        return {"Payload": io.BytesIO(answer), **failed}


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Those of a running `mpg up`."""
    functions = Functions()
    monkeypatch.setattr(catalogue, "read_running", lambda _: Note(1, 4566, "", ""))
    monkeypatch.setattr(catalogue, "endpoint_of", lambda _: Endpoint(4566, "secret"))
    names = ("ListModelsFunction", "DownloadModelFunction", "IssueCatalogueLinkFunction")
    monkeypatch.setattr("local.cli.deploy.outputs", lambda _: {name: name for name in names})
    monkeypatch.setattr("local.cli.deploy.parameters", lambda _: {"DefaultWorkload": "iris"})
    monkeypatch.setattr(Endpoint, "client", lambda *_: functions)
    return functions


@pytest.fixture
def download(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the link leads to, in parts; a test changes it."""
    parts = [CONTENT]

    class Answer(io.BytesIO):
        pass

    class Opener:
        def open(self, url: str, timeout: int) -> Answer:
            if not parts:
                raise urllib.error.HTTPError(url, 403, "Forbidden", None, None)  # type: ignore[arg-type]
            return Answer(b"".join(parts))

    monkeypatch.setattr("urllib.request.build_opener", lambda *_: Opener())
    return parts


def found(**change: Any) -> dict[str, Any]:
    return {
        "url": "http://s3/",
        "digest": DIGEST,
        "bytes": len(CONTENT),
        "filename": "iris-7.tar.gz",
        **change,
    }


def test_a_line_says_what_a_person_wants_to_know() -> None:
    assert dict(zip(HEADER, row(MODEL), strict=True)) == {
        "workload": "iris",
        "version": "7",
        "live": "since 2026-03-01 09:50 UTC",
        "measured": "error 0.0412",
        "approved": "2026-03-01 09:41 UTC",
        "by": "Ada",
        "formats": "native",
        "note": "",
    }


def test_a_model_without_figures_still_has_its_line() -> None:
    gone = {**MODEL, "gate": None, "metrics": [], "live": False, "approved_at": None, "approved_by": None}
    gone |= {
        "formats": {"native": None, "onnx": None},
        "problem": "evaluation.json is missing: it was deleted.",
    }
    assert row(gone) == ["iris", "7", "", "", "", "", "", "evaluation.json is missing: it was deleted."]


def test_what_people_typed_cannot_change_the_terminal() -> None:
    [*_, by, _, _] = row({**MODEL, "approved_by": "\x1b[31mAda http://evil.example"})
    assert "\x1b" not in by
    assert "http://" not in by


def test_all_pages_are_listed(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    pages = {None: {"models": [MODEL], "next": "t"}, "t": {"models": [{**MODEL, "version": 6}], "next": None}}
    functions.answers["ListModelsFunction"] = lambda asked: pages[asked.get("next")]
    assert catalogue.show_models("iris", as_json=True) == 0
    assert [model["version"] for model in json.loads(capsys.readouterr().out)] == [7, 6]
    assert functions.asked == [{"workload": "iris"}, {"workload": "iris", "next": "t"}]
    assert catalogue.show_models(None, as_json=False) == 0
    assert "2026-03-01 09:41 UTC" in capsys.readouterr().out


def test_nothing_approved_yet_says_what_to_do(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    functions.answers["ListModelsFunction"] = lambda asked: {"models": [], "next": None}
    assert catalogue.show_models(None, as_json=False) == 0
    assert "No model is approved yet. `mpg run` trains one" in capsys.readouterr().out
    assert catalogue.show_models(None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_refusal_is_shown_in_the_functions_words(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    functions.answers["DownloadModelFunction"] = lambda asked: {"error": "There is no version 9 of iris."}
    assert catalogue.download(9, None, "onnx", None) == 2
    assert functions.asked == [{"workload": "iris", "version": 9, "format": "onnx"}]
    assert "There is no version 9 of iris." in capsys.readouterr().out


def test_a_function_that_fails_is_no_traceback(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    functions.failed = True
    functions.answers["ListModelsFunction"] = lambda asked: {
        "errorType": "X",
        "errorMessage": "ListModelPackages",
    }
    assert catalogue.show_models(None, as_json=False) == 2
    assert "ListModelsFunction failed: ListModelPackages." in capsys.readouterr().out


def test_without_a_running_mpg_up_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalogue, "read_running", lambda _: None)
    assert catalogue.issue_link(None) == 2
    assert "Start one with `mpg up`." in capsys.readouterr().out


def test_a_download_is_kept_whole_under_its_name(
    functions: Functions, download: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions.answers["DownloadModelFunction"] = lambda asked: found()
    monkeypatch.chdir(tmp_path)
    assert catalogue.download(7, None, "native", None) == 0
    assert catalogue.download(7, None, "native", tmp_path / "my.tar.gz") == 0
    (tmp_path / "folder").mkdir()
    assert catalogue.download(7, None, "native", tmp_path / "folder") == 0
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert files.keys() == {"iris-7.tar.gz", "my.tar.gz", "folder/iris-7.tar.gz"}
    assert {path.read_bytes() for path in files.values()} == {CONTENT}


@pytest.mark.parametrize("arrives", [[b"another file"], [CONTENT, b"!"], [CONTENT[:-1]], [b""]])
def test_what_is_not_the_approved_file_replaces_nothing(
    download: list[bytes], tmp_path: Path, arrives: list[bytes]
) -> None:
    download[:] = arrives
    path = tmp_path / "model"
    path.write_bytes(b"an earlier one")
    with pytest.raises(Trouble, match="not the approved file"):
        save(found(), path)
    assert path.read_bytes() == b"an earlier one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_download_that_is_refused_or_has_no_place_is_explained(
    download: list[bytes], tmp_path: Path
) -> None:
    with pytest.raises(Trouble, match="cannot be written: No such file"):
        save(found(), tmp_path / "none" / "model")
    download.clear()
    with pytest.raises(Trouble, match="refused: 403 Forbidden"):
        save(found(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_link_works_on_this_machine(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    functions.answers["IssueCatalogueLinkFunction"] = lambda asked: {
        "url": LINK,
        "expires_at": "2026-03-08T09:41:00Z",
    }
    assert catalogue.issue_link(3) == 0
    assert functions.asked[0]["days"] == 3
    assert capsys.readouterr().out.splitlines()[0] == (
        "http://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.localhost:4566/catalogue/x/"
    )


@pytest.mark.parametrize(
    ("revoked", "words"), [(0, "No open link"), (1, "1 link is closed"), (3, "3 links are closed")]
)
def test_revoking_says_how_many_links_it_closed(
    functions: Functions, capsys: pytest.CaptureFixture[str], revoked: int, words: str
) -> None:
    functions.answers["IssueCatalogueLinkFunction"] = lambda asked: {"revoked": revoked}
    assert catalogue.revoke_links("all") == 0
    assert functions.asked == [{"revoke": "all"}]
    assert words in capsys.readouterr().out

"""`mpg models`, `mpg download` and `mpg catalogue`: the approved models of the running `mpg up`."""

import getpass
import hashlib
import json
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.problems import Trouble
from local.cli import deploy
from local.cli.down import NOTE
from local.cli.endpoint import Endpoint, connected, endpoint_of
from local.cli.instance import read_running
from local.cli.project import shown
from local.cli.screen import Screen, printable
from local.cli.up import show_trouble
from local.embedded.mailbox import on_this_machine
from shared.text import defang, number, readable_time

HEADER = ("workload", "version", "live", "measured", "approved", "by", "formats", "note")
_PART = 1 << 20
_SECONDS = 60

Json = dict[str, Any]


def show_models(workload: str | None, *, as_json: bool) -> int:
    """Print the approved models, newest first. Returns the exit code."""

    def show(endpoint: Endpoint, screen: Screen) -> None:
        models = list(_models(endpoint, workload))
        if as_json:
            print(json.dumps(models, indent=2), flush=True)
        elif models:
            screen.table(HEADER, [row(model) for model in models])
        else:
            screen.line("No model is approved yet. `mpg run` trains one and asks for its approval.")

    return _with_endpoint(show, stderr=as_json)


def download(version: int, workload: str | None, of: str, to: Path | None) -> int:
    """Download a model's file and verify it. Returns the exit code."""

    def fetch(endpoint: Endpoint, screen: Screen) -> None:
        name = workload or deploy.parameters(endpoint)["DefaultWorkload"]
        found = _call(endpoint, "DownloadModelFunction", workload=name, version=version, format=of)
        path = to / found["filename"] if to and to.is_dir() else to or Path(found["filename"])
        save(found, path)
        screen.line(f"{shown(path)}: {found['bytes']:,} bytes, {found['digest']}")

    return _with_endpoint(fetch)


def issue_link(days: int | None) -> int:
    """Issue a link to the catalogue and print it. Returns the exit code."""

    def issue(endpoint: Endpoint, screen: Screen) -> None:
        asked = {"issued_by": getpass.getuser(), **({} if days is None else {"days": days})}
        found = _call(endpoint, "IssueCatalogueLinkFunction", **asked)
        screen.line(on_this_machine(found["url"], endpoint.port))
        screen.line(
            "Whoever has it can see and download the approved models, until "
            f"{readable_time(found['expires_at'])}. `mpg catalogue --revoke LINK` closes it.",
            style="dim",
        )

    return _with_endpoint(issue)


def revoke_links(which: str) -> int:
    """Revoke a link, or "all". Returns the exit code."""

    def revoke(endpoint: Endpoint, screen: Screen) -> None:
        revoked = _call(endpoint, "IssueCatalogueLinkFunction", revoke=which)["revoked"]
        screen.line(
            {0: "No open link was found.", 1: "1 link is closed."}.get(
                revoked, f"{revoked} links are closed."
            )
        )

    return _with_endpoint(revoke)


def row(model: Mapping[str, Any]) -> list[str]:
    """A model as a line of the table; text that people typed is made safe for a terminal."""
    metric = (model["gate"] or {}).get("metric")
    measured = next((each for each in model["metrics"] if each["name"] == metric), None)
    cells = [
        model["workload"],
        str(model["version"]),
        f"since {readable_time(model['live_since'])}" if model["live"] else "",
        f"{metric} {number(measured['value'])} {measured['unit']}".strip() if measured else "",
        readable_time(model["approved_at"] or ""),
        model["approved_by"] or "",
        ", ".join(of for of, found in model["formats"].items() if found),
        model["problem"] or "",
    ]
    return [defang(printable(cell)) for cell in cells]


def save(found: Mapping[str, Any], path: Path) -> None:
    """Download the file of a link to the path, which only ever has the whole, right file. Raises Trouble."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            part = Path(file.name)
            try:
                digest = _copy(found["url"], file.write)
                if digest != found["digest"]:
                    raise Trouble(
                        f"What arrived is not the approved file: it has {digest}, not {found['digest']}",
                        "Nothing was kept. Try again; if it happens again, somebody has changed the file.",
                    )
                part.chmod(0o644)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    except urllib.error.HTTPError as error:
        raise Trouble(f"The download was refused: {error.code} {error.reason}", "Try again.") from None
    except urllib.error.URLError as error:
        raise Trouble(f"The download broke off: {error.reason}", "Try again.") from None
    except OSError as error:
        raise Trouble(
            f"{shown(path)} cannot be written: {error.strerror}", "Name another with --to."
        ) from None


def _copy(url: str, write: Callable[[bytes], object]) -> str:
    """Download to `write`; returns the digest of what came."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    digest = hashlib.sha256()
    with direct.open(url, timeout=_SECONDS) as answer:
        while part := answer.read(_PART):
            digest.update(part)
            write(part)
    return f"sha256:{digest.hexdigest()}"


def _models(endpoint: Endpoint, workload: str | None) -> Iterator[Json]:
    asked = {"workload": workload} if workload else {}
    token: Json = {}
    while True:
        page = _call(endpoint, "ListModelsFunction", **asked, **token)
        yield from page["models"]
        if not page["next"]:
            return
        token = {"next": page["next"]}


def _call(endpoint: Endpoint, function: str, **asked: Any) -> Json:
    """The function's answer. Raises Trouble, with the function's own words if it has refused."""
    answer = endpoint.client("lambda").invoke(
        FunctionName=deploy.outputs(endpoint)[function], Payload=json.dumps(asked)
    )
    found: Json = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise Trouble(f"{function} failed: {found.get('errorMessage')}", "Its log says more.")
    if "error" in found:
        raise Trouble(str(found["error"]).removesuffix("."))
    return found


def _with_endpoint(work: Callable[[Endpoint, Screen], None], *, stderr: bool = False) -> int:
    screen = Screen.on(stderr=stderr)
    try:
        with _running() as endpoint:
            work(endpoint, screen)
    except Trouble as trouble:
        return show_trouble(screen, trouble)
    return 0


@contextmanager
def _running() -> Iterator[Endpoint]:
    """The `mpg up` of this checkout. Raises Trouble."""
    note = read_running(NOTE)
    endpoint = endpoint_of(note) if note else None
    if endpoint is None:
        raise Trouble("No mpg up is running for this checkout", "Start one with `mpg up`.")
    with connected(endpoint):
        yield endpoint

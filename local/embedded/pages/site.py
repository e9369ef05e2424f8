"""Which page has which address, and what it shows."""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from local.embedded.pages import progress
from local.embedded.pages.drawing import draw
from local.embedded.pages.graph import find_state
from local.embedded.pages.plots import Plot, plot
from local.embedded.pages.progress import Visit, follow, status_of
from local.embedded.pages.rendering import STYLE, duration, render
from local.embedded.seams import views

# Pages have no scripts: they reload. An execution that runs changes every second, most else does not.
REFRESH_SECONDS, RUNNING_SECONDS, METRICS_SECONDS = 5, 2, 10
NEWEST = 50
MOST_VISITS = 5
MOST_PLOTS = 400
_DOCS = Path(__file__).parents[3] / "docs"
_REFERENCE = re.compile(r'See "([^"]+)" in docs/([a-z-]+\.md)')
_MARKS = {
    progress.RUNNING: "▶ running",
    progress.SUCCEEDED: "✓",
    progress.CAUGHT: "↷ caught",
    progress.FAILED: "✗ failed",
    progress.STOPPED: "■ stopped",
}
_ALARM_ORDER = ("ALARM", "INSUFFICIENT_DATA", "OK")
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

Mails = Sequence[Mapping[str, Any]]
Values = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """What the graph and the table say of one state."""

    status: str
    note: str
    visits: int
    retries: int
    seconds: float


def page(path: str, query: str, mails: Mails) -> tuple[str, str] | None:
    """Content type and text of the page at this path below `/_mpg/`; None if there is none."""
    if path == "style.css":
        return "text/css; charset=utf-8", STYLE
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    text = _html(path, asked, mails)
    return ("text/html; charset=utf-8", text) if text is not None else None


def _html(path: str, asked: Mapping[str, str], mails: Mails) -> str | None:
    kind, _, rest = path.partition("/")
    common: Values = {"root": "../" * path.count("/"), "page": "", "refresh": REFRESH_SECONDS}
    common |= {"still": "still" in asked, "kept": _kept(asked)}
    match kind:
        case "" if not path:
            return _home(asked, mails, common)
        case "machines":
            return _machine(rest, asked, common)
        case "executions":
            machine, _, name = rest.partition("/")
            return _execution(machine, name, asked.get("state", ""), common)
        case "metrics":
            return _metrics(common)
        case "alarms":
            listed = sorted(views.alarms(), key=lambda alarm: _ALARM_ORDER.index(alarm.state))
            alarms = [(alarm, _link(alarm.description)) for alarm in listed]
            return render("alarms.html", **common | {"page": "Alarms", "alarms": alarms})
        case "docs":
            return _section(rest, asked.get("section", ""), common)
    return None


def _kept(asked: Mapping[str, str]) -> str:
    kept = {name: value for name, value in asked.items() if name != "still"}
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in kept.items())


def _home(asked: Mapping[str, str], mails: Mails, common: Values) -> str:
    values = {"machines": views.machines(), "alarms": views.alarms(), "mails": mails, "page": "Executions"}
    return render("home.html", **common | values | _listed(views.executions(), asked))


def _listed(executions: Iterable[views.Execution], asked: Mapping[str, str]) -> Values:
    found = list(executions if "all" in asked else islice(executions, NEWEST + 1))
    more = "all" not in asked and len(found) > NEWEST
    return {"executions": found[:NEWEST] if more else found, "more": more}


def _machine(name: str, asked: Mapping[str, str], common: Values) -> str | None:
    machine = next((each for each in views.machines() if each.name == name), None)
    if machine is None:
        return None
    chosen = asked.get("state", "")
    state = find_state(json.loads(machine.definition), chosen)
    graph: Values = {"drawing": draw(machine.definition), "states": {}, "ways": set()}
    graph |= {
        "chosen": chosen if state else "",
        "definition": json.dumps(state, indent=2, ensure_ascii=False),
    }
    listed = _listed(views.executions(name), asked)
    return render("machine.html", **common | graph | listed | {"machine": machine})


def _execution(machine: str, name: str, chosen: str, common: Values) -> str | None:
    history = views.history(machine, name)
    if history is None:
        return None
    now = datetime.now(UTC).isoformat()
    execution, found = history.execution, follow(history.events)
    by_state = found.by_state()
    visits = by_state.get(chosen, [])
    running, drawing = execution.status == "RUNNING", draw(history.definition)
    waiting = {box.state.name for box in drawing.boxes if box.state.waits}
    whole = Visit("", execution.started_at, "", left=execution.stopped_at or None)
    values = {
        "chosen": chosen,
        "drawing": drawing,
        "earlier": max(0, len(visits) - MOST_VISITS),
        "events": len(history.events),
        "execution": execution,
        "input": history.input,
        "now": now,
        "output": history.output,
        "refresh": RUNNING_SECONDS if running else 0,
        "seconds": whole.seconds(now),
        "states": {state: _shown(each, now, state in waiting) for state, each in by_state.items()},
        "status": {"RUNNING": "running", "SUCCEEDED": "succeeded"}.get(execution.status, "failed"),
        "visits": visits[: -MOST_VISITS - 1 : -1],
        "ways": found.ways,
    }
    return render("execution.html", **common | values)


def _shown(visits: Sequence[Visit], now: str, waits: bool) -> Shown:
    status = status_of(visits)
    mark = _MARKS[status]
    if status == progress.RUNNING and visits[-1].error:
        mark = "↻ retrying"
    elif status == progress.RUNNING and waits:
        mark = "… waiting"
    retries, seconds = sum(visit.retries for visit in visits), sum(visit.seconds(now) for visit in visits)
    words = [mark, duration(seconds)]
    if retries:
        words.append(f"{retries} {'retry' if retries == 1 else 'retries'}")
    if len(visits) > 1:
        words.append(f"{len(visits)} times")
    return Shown(status, " · ".join(words), len(visits), retries, seconds)


def _metrics(common: Values) -> str:
    now = time.time()
    series = sorted(views.metrics(), key=_order)[:MOST_PLOTS]
    plots = [plot(each, now) for each in series]
    namespaces = [(name, list(each)) for name, each in groupby(plots, key=_namespace)]
    values = {"page": "Metrics", "namespaces": namespaces, "refresh": METRICS_SECONDS}
    return render("metrics.html", **common | values)


def _order(series: views.Series) -> tuple[bool, str, str, str]:
    # Those of the stack's own functions first.
    is_aws = series.namespace.startswith("AWS/")
    return is_aws, series.namespace, series.name, str(sorted(series.dimensions.items()))


def _namespace(plot: Plot) -> str:
    return plot.namespace


def _link(description: str) -> str:
    """Where the section is to which an alarm's description refers; empty if it is not there."""
    found = _REFERENCE.search(description)
    if found is None or not _read_section(found[2], found[1]):
        return ""
    return f"docs/{found[2]}?section={quote(found[1], safe='')}"


def _section(file: str, heading: str, common: Values) -> str | None:
    text = _read_section(file, heading)
    values = {"refresh": 0, "file": file, "heading": heading, "text": text}
    return render("section.html", **common | values) if text else None


def _read_section(file: str, heading: str) -> str:
    """A section of one of the project's documents, up to the next heading; empty if there is none."""
    document = _DOCS / file
    if not re.fullmatch(r"[a-z-]+\.md", file) or not document.is_file():
        return ""
    section = rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)"
    found = re.search(section, document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""

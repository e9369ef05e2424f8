"""The page at `/_mpg/`: the mailbox and the executions, for a person with a browser."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_LINK = re.compile(r"https?://[^\s<>\"']+")

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #777; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
th { color: var(--dim); font-weight: normal; text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .8rem .35rem 0; vertical-align: top; }
td.error { color: #c33; overflow-wrap: anywhere; }
.name { font-family: ui-monospace, monospace; font-size: .85em; overflow-wrap: anywhere; }
article { border: 1px solid var(--line); border-radius: .4rem; margin: 1rem 0; padding: .8rem 1rem; }
article h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
article p { color: var(--dim); font-size: .85em; margin: 0; }
pre { font: .85em/1.5 ui-monospace, monospace; margin: .8rem 0 0; }
pre { overflow-wrap: anywhere; white-space: pre-wrap; }
"""


def render(mails: Sequence[Mapping[str, Any]], executions: Sequence[Mapping[str, Any]]) -> str:
    """The whole page, newest first. It reloads every few seconds, without scripts.

    `mails` as the mailbox returns them, oldest first. An execution has `name`, `status`, `started_at`,
    `stopped_at`, `file`, `outcome` and `error`; the last four may be None.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>The pipeline on this machine</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>The pipeline on this machine</h1>
<h2>Executions</h2>
{_executions(executions)}
<h2>Mailbox</h2>
{_mails(mails)}
</body>
</html>
"""


def _executions(executions: Sequence[Mapping[str, Any]]) -> str:
    if not executions:
        return "<p>None yet: upload a file to <code>incoming/</code>.</p>"
    newest_first = sorted(executions, key=lambda execution: str(execution["started_at"]), reverse=True)
    head = "<tr><th>File</th><th>Started</th><th>Ended</th><th>Outcome</th></tr>"
    return f"<table>\n{head}\n{''.join(map(_execution, newest_first))}</table>"


def _execution(execution: Mapping[str, Any]) -> str:
    outcome = execution["outcome"] or execution["status"]
    error = f": {execution['error']}" if execution["error"] else ""
    kind = ' class="error"' if error else ""
    file = f'{escape(execution["file"] or "")}<br><span class="name">{escape(execution["name"])}</span>'
    times = f"<td>{_time(execution['started_at'])}</td><td>{_time(execution['stopped_at'])}</td>"
    return f"<tr><td>{file}</td>{times}<td{kind}>{escape(str(outcome) + error)}</td></tr>\n"


def _mails(mails: Sequence[Mapping[str, Any]]) -> str:
    if not mails:
        return "<p>Empty.</p>"
    return "\n".join(_mail(mail) for mail in reversed(mails))


def _mail(mail: Mapping[str, Any]) -> str:
    about = f"To {escape(mail['to'])} by {escape(mail['topic'])}, {_time(mail['sent_at'])}"
    text = _with_links(mail["text"])
    return f"<article><h3>{escape(mail['subject'])}</h3><p>{about}</p><pre>{text}</pre></article>"


def _with_links(text: str) -> str:
    parts = []
    end = 0
    for link in _LINK.finditer(text):
        url = escape(link.group())
        parts.append(f'{escape(text[end : link.start()])}<a href="{url}" rel="noreferrer">{url}</a>')
        end = link.end()
    return "".join(parts) + escape(text[end:])


def _time(moment: object) -> str:
    # ISO 8601 as in the data, cut to seconds: the page needs no time zone.
    return escape(str(moment).replace("T", " ")[:19]) if moment else ""

"""The review page's answers. The order of these steps makes a decision once and never loses it:

1. An approval requires that the model's file is still the one that was evaluated.
2. The package is read. A decision made in SageMaker meanwhile prevails, and nothing is written while
   SageMaker is unreachable.
3. One conditional write records the decision, if there is none, the link is the live one and the request has
   not expired.
4. The model package is set and read again. If a person decided differently in SageMaker meanwhile, the record
   is corrected (`approval/packages.py`). If setting it fails, the record keeps the decision without
   `package_updated_at`, and the page offers to retry (a POST, which repeats the recorded decision and ignores
   its own content) and shows the command that does it by hand. The scheduled sweep finishes such a decision.
5. The browser is redirected to the page (303), so that a reload posts nothing.
"""

import re
from dataclasses import replace

from approval.deciding import finish, model_was_changed, record, standing_decision, standing_if_readable
from approval.records import find, find_by_link, hash_link
from approval.request import Approval, Decision
from shared.refusals import Refused
from shared.telemetry import describe_error, logger
from shared.text import now
from web import pages
from web.form import Entry, check_entry, new_decision
from web.http import Request, Response, check_same_origin, read_form

_PATH = re.compile(r"/review/([A-Za-z0-9_-]{43})/?")


def respond(request: Request) -> Response:
    """The answer to any request. After an error, the page says so without internals."""
    try:
        response = _route(request)
    except Refused as refused:
        response = Response(refused.status, pages.message_page("Nothing was decided", str(refused)))
    except Exception as error:  # a person sees the page; the log has the error
        logger.error("could not answer", **describe_error(error))
        response = Response(503, pages.message_page("That did not work", _TRY_AGAIN))
    return response.without_body() if request.method == "HEAD" else response


def _route(request: Request) -> Response:
    match = _PATH.fullmatch(request.path)
    if not match:
        return Response(404, pages.message_page("Nothing here", _WHOLE_LINK))
    link_hash = hash_link(match[1])
    if request.method in ("GET", "HEAD"):
        return _show(link_hash)
    if request.method == "POST":
        return _decide(request, link_hash)
    sentence = "This page can be opened, and its form can be sent; nothing else."
    return Response(405, pages.message_page("Nothing was decided", sentence), {"Allow": "GET, HEAD, POST"})


def _show(link_hash: str) -> Response:
    """The page for the request's current status. Changes nothing."""
    approval = find_by_link(link_hash)
    if approval is None:
        return _unknown()
    return _closed(approval, link_hash, decided=200) or _open(approval, Entry())


def _decide(request: Request, link_hash: str) -> Response:
    """Take a valid decision that was posted from the page."""
    check_same_origin(request)
    form = read_form(request)
    approval = find_by_link(link_hash)
    if approval is None:
        return _unknown()
    if approval.decision and not approval.package_updated_at and "finish" in form:
        return _finish(request, approval)
    closed = _closed(approval, link_hash, decided=409)
    if closed:
        return closed
    entry = check_entry(form)
    if not entry.errors and form["decision"] == "approve" and model_was_changed(approval):
        entry = replace(entry, errors={"decision": _CHANGED})
    if entry.errors:
        return _open(approval, entry, 422)
    return _record(request, approval, link_hash, new_decision(request, form, entry))


def _record(request: Request, approval: Approval, link_hash: str, decision: Decision) -> Response:
    if standing := standing_decision(approval):
        return Response(409, pages.decided_page(approval, standing))
    recorded = record(approval, link_hash, decision)
    approval = find(approval.package_arn) or approval
    if recorded:
        return _finish(request, approval)
    entry = Entry(decision.reviewer, decision.comment)
    return _closed(approval, link_hash, decided=409) or _open(approval, entry)


def _finish(request: Request, approval: Approval) -> Response:
    """Apply the recorded decision to the package, then redirect the browser to the page that shows it."""
    finish(approval)
    return Response(303, headers={"Location": request.path})


def _closed(approval: Approval, link_hash: str, decided: int) -> Response | None:
    """The page for a link that cannot decide any more; None if it can."""
    if decision := standing_if_readable(approval):
        return Response(decided, pages.decided_page(approval, decision))
    if approval.link_hash != link_hash:
        sentence = "Use the link in the newest mail."
        return Response(410, pages.message_page("A newer mail replaced this link", sentence))
    if approval.expired(now()):
        return Response(410, pages.expired_page(approval))
    return None


def _open(approval: Approval, entry: Entry, status: int = 200) -> Response:
    return Response(status, pages.open_page(approval, entry))


def _unknown() -> Response:
    return Response(404, pages.message_page("This link is not known", _WHOLE_LINK))


_WHOLE_LINK = "Open the link from the mail, whole as it is."
_CHANGED = (
    "This model cannot be approved: its file was changed or deleted after it was evaluated. Reject it, and "
    "tell whoever looks after the pipeline."
)
_TRY_AGAIN = (
    "Something did not answer. Open the link from the mail again in a minute; the page says how things stand."
)

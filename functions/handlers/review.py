"""The page behind the mailed link: GET and HEAD show, POST decides.

A decision is made in this order, so that it is made once and never lost:

1. approved is only a model whose file still is the one that was evaluated
2. the package is read: what was decided in SageMaker meanwhile stays, and an unreachable SageMaker is noticed
   before anything is written
3. one conditional write records the decision: only if nobody decided, the link is the live one, the time is
   not over
4. the model package is set, and read again: should somebody have decided otherwise in SageMaker meanwhile,
   the record gives way (`packages.py`). If setting it fails, the record still says what was decided,
   `package_updated_at` is missing, and the page offers to try again (a POST, which repeats the recorded
   decision whatever it carries) beside the command that does it by hand. The scheduled sweep finds the same
   and finishes it
5. the browser is sent back to the page (303), so that a reload posts nothing

A page about a decision says what the package says, whatever the record does.

The execution is not resumed from here. The package's state-change event does that, as it does for a decision
that was made in SageMaker: `resume_pipeline`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from approval.packages import bring_decision, read_status
from approval.records import Approval, Decision, decide_by_link, find, find_by_link, hash_link
from model.artifacts import stored_digest
from model.details import read_details
from shared.aws import prepare
from shared.telemetry import Answer, Event, count, describe_error, logger, observed
from shared.text import has_ink, many_lines, now, one_line, timestamp
from web.http import Refused, Request, Response, check_same_origin, read_form
from web.page import decided_page, expired_page, message_page, open_page
from web.page_form import COMMENT_LIMIT, REVIEWER_LIMIT, Entry

prepare("s3", "sagemaker")

_PATH = re.compile(r"/review/([A-Za-z0-9_-]{43})/?")
_VERDICTS = {"approve": "approved", "reject": "rejected"}
_AWS_ERRORS = (ClientError, BotoCoreError)


@observed
def handler(event: Event) -> Answer:
    request = Request.from_event(event)
    response = respond(request)
    logger.info("answered", method=request.method, status=response.status)
    count(f"ReviewPage{response.status // 100}xx")
    return response.as_answer()


def respond(request: Request) -> Response:
    """The answer to any request. Whatever goes wrong, the page says so without internals."""
    try:
        response = _route(request)
    except Refused as refused:
        response = Response(refused.status, message_page("Nothing was decided", str(refused)))
    except Exception as error:  # a person sits in front of it; the log tells what happened
        logger.error("could not answer", **describe_error(error))
        response = Response(503, message_page("That did not work", _TRY_AGAIN))
    return Response(response.status, "", response.headers) if request.method == "HEAD" else response


def _route(request: Request) -> Response:
    match = _PATH.fullmatch(request.path)
    if not match:
        return Response(404, message_page("Nothing here", "Open the link from the mail, whole as it is."))
    link_hash = hash_link(match[1])
    if request.method in ("GET", "HEAD"):
        return show(link_hash)
    if request.method == "POST":
        return decide(request, link_hash)
    sentence = "This page can be opened, and its form can be sent; nothing else."
    return Response(405, message_page("Nothing was decided", sentence), {"Allow": "GET, HEAD, POST"})


def show(link_hash: str) -> Response:
    """The page as things stand. Changes nothing."""
    approval = find_by_link(link_hash)
    if approval is None:
        return _unknown()
    return _closed(approval, link_hash, decided=200) or _open(approval, Entry())


def decide(request: Request, link_hash: str) -> Response:
    """Take a decision, if it is one, it comes from the page, and nothing speaks against it."""
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
    if not entry.errors and form["decision"] == "approve" and _model_was_changed(approval):
        logger.error("model was changed", model_package_arn=approval.package_arn)
        count("ChangedModelNotApproved")
        entry = replace(entry, errors={"decision": _CHANGED})
    if entry.errors:
        return _open(approval, entry, 422)
    return _record(request, approval, link_hash, _decision(request, form, entry))


def check_entry(form: Mapping[str, str]) -> Entry:
    """What was typed, cleaned of control characters, with an error for each field that will not do."""
    reviewer = one_line(form.get("reviewer", ""), 10 * REVIEWER_LIMIT)
    comment = many_lines(form.get("comment", ""), 10 * COMMENT_LIMIT)
    comment = comment if has_ink(comment) else ""
    errors = {}
    if form.get("decision") not in _VERDICTS:
        errors["decision"] = "Choose: approve or reject."
    if not any(character.isalpha() and has_ink(character) for character in reviewer):
        errors["reviewer"] = "Say who decides: your name is missing."
    if len(reviewer) > REVIEWER_LIMIT:
        errors["reviewer"] = f"The name is too long: at most {REVIEWER_LIMIT} characters."
    if len(comment) > COMMENT_LIMIT:
        errors["comment"] = f"The comment is too long: at most {COMMENT_LIMIT:,} characters."
    if form.get("decision") == "reject" and not comment:
        errors["comment"] = "Say why: rejecting needs a comment."
    return Entry(reviewer, comment, errors)


def _model_was_changed(approval: Approval) -> bool:
    """Whether the package's file is gone, or another one than the evaluation was about."""
    evaluated = (approval.facts.get("evaluation") or {}).get("digests", {}).get("model")
    key = f"models/{approval.run_id}/model.tar.gz"
    return bool(stored_digest(os.environ["BUCKET_NAME"], key) != evaluated)


def _decision(request: Request, form: Mapping[str, str], entry: Entry) -> Decision:
    return Decision(
        verdict="approved" if form["decision"] == "approve" else "rejected",
        reviewer=entry.reviewer,
        comment=entry.comment,
        decided_at=timestamp(now()),
        via="review page",
        address=one_line(request.address, 64),
        browser=one_line(request.browser, 256),
    )


def _record(request: Request, approval: Approval, link_hash: str, decision: Decision) -> Response:
    standing = _standing(approval)
    if standing:
        return Response(409, decided_page(approval, read_details(approval.facts), standing))
    won = decide_by_link(approval, link_hash, decision, now())
    approval = find(approval.package_arn) or approval
    if not won:
        return _closed(approval, link_hash, decided=409) or _open(
            approval, Entry(decision.reviewer, decision.comment)
        )
    logger.info("decided", model_package_arn=approval.package_arn, verdict=decision.verdict)
    count("DecisionRecorded")
    return _finish(request, approval)


def _finish(request: Request, approval: Approval) -> Response:
    """Bring the recorded decision to the package, then send the browser to the page that tells."""
    if approval.decision:
        try:
            bring_decision(approval, approval.decision)
        except _AWS_ERRORS as error:
            count("DecisionNotOnPackage")
            logger.error(
                "package not updated", model_package_arn=approval.package_arn, **describe_error(error)
            )
    return Response(303, headers={"Location": request.path})


def _closed(approval: Approval, link_hash: str, decided: int) -> Response | None:
    """The page if nothing can be decided with this link (any more); None if it can."""
    decision = _standing_if_readable(approval)
    if decision:
        return Response(decided, decided_page(approval, read_details(approval.facts), decision))
    if approval.link_hash != link_hash:
        return Response(
            410, message_page("A newer mail replaced this link", "Use the link in the newest mail.")
        )
    if approval.expired(now()):
        return Response(410, expired_page(approval, read_details(approval.facts)))
    return None


def _standing_if_readable(approval: Approval) -> Decision | None:
    try:
        return _standing(approval)
    except _AWS_ERRORS as error:
        logger.warning(
            "package not readable", model_package_arn=approval.package_arn, **describe_error(error)
        )
        return approval.standing


def _standing(approval: Approval) -> Decision | None:
    """What the package says, in the record's words if that says the same: by now it may have the decision."""
    on_package = read_status(approval.package_arn).decision()
    if on_package is None:
        return approval.standing
    recorded = approval.standing or (find(approval.package_arn) or approval).standing
    return recorded if recorded and recorded.verdict == on_package.verdict else on_package


def _open(approval: Approval, entry: Entry, status: int = 200) -> Response:
    return Response(status, open_page(approval, read_details(approval.facts), entry))


def _unknown() -> Response:
    return Response(
        404, message_page("This link is not known", "Open the link from the mail, whole as it is.")
    )


_CHANGED = (
    "This model cannot be approved: its file was changed or deleted after it was evaluated. Reject it, and "
    "tell whoever looks after the pipeline."
)
_TRY_AGAIN = (
    "Something did not answer. Open the link from the mail again in a minute; the page says how things stand."
)

"""Mails once how a release ended, after setting back what it could not."""

import os

from botocore.exceptions import BotoCoreError, ClientError

from common.evaluation import Evaluation
from model.artifacts import ArtifactRefused
from model.kept import read_registered
from model.live import LiveModel, ReleaseRecord, find_live, find_release
from release.calling import how_to_call
from release.ending import ReleaseEnd
from release.recovering import recover
from shared import once
from shared.mails import Mail, render, send
from shared.telemetry import count, describe_error, logger, measure

_METRICS = {"live": "ReleaseLive", "failed": "ReleaseFailed", "stopped": "ReleaseFailed"}


def announce(end: ReleaseEnd) -> bool:
    """Finish a release that could not, count it, and mail it if it has a mail. Returns whether it mailed."""
    if end.needs_help:
        recover(end)
    mail = ending_mail(end)
    topic = os.environ["NOTIFICATION_TOPIC_ARN"]
    new = once.do(end.identity, lambda: send(mail, topic) if mail else None)
    if new:
        count(_METRICS.get(end.outcome, "ReleaseSkipped"))
        if end.outcome == "live" and (live := _live_by(end)):
            measure("SecondsToLive", live.seconds)
    return new and mail is not None


def ending_mail(end: ReleaseEnd) -> Mail | None:
    """The mail about an end; None for a repeated event, and where nothing was to be released."""
    if end.outcome in ("already_processed", "already_live") or end.endpoint_type == "none":
        return None
    record = find_release(end.package_arn)
    if record is None:
        return render("release/not_released", end=end, record=None, live=None)
    live = find_live(record.workload)
    if live and live.execution_arn == end.execution_arn:
        return _live_mail(end, record, live)
    return render("release/not_released", end=end, record=record, live=live)


def _live_mail(end: ReleaseEnd, record: ReleaseRecord, live: LiveModel) -> Mail:
    evaluation = _evaluation(live)
    return render(
        "release/live",
        end=end,
        live=live,
        title=evaluation.title or record.workload,
        calls=how_to_call(live, evaluation.smoke_test, region=live.package_arn.split(":")[3]),
    )


def _evaluation(live: LiveModel) -> Evaluation:
    """The evaluation that lies beside the model; an empty one if it cannot be read."""
    try:
        return read_registered(live.run_id, live.evaluation_digest)
    except (ArtifactRefused, ClientError, BotoCoreError) as error:
        logger.warning("evaluation not readable", workload=live.workload, **describe_error(error))
        return Evaluation()


def _live_by(end: ReleaseEnd) -> LiveModel | None:
    record = find_release(end.package_arn)
    live = find_live(record.workload) if record else None
    return live if live and live.execution_arn == end.execution_arn else None

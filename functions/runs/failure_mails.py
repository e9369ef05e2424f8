"""The mails about runs that did not succeed: what happened, why, what to do next."""

import textwrap
from collections.abc import Callable

from runs.endings import Ending
from runs.where_to_look import where_to_look
from shared.mails import Mail, facts_block, paragraphs
from shared.text import defang

_UPLOAD_AGAIN = "Correct the file and upload it again: every upload starts a run of its own."
_LOOK = (
    "Find out more with what is named below, mend it, then redrive the execution or upload the file again."
)

# By the error's name, where the pipeline gives it or it says enough.
_NEXT_BY_ERROR = {
    "UploadRefused": _UPLOAD_AGAIN,
    "ModelQualityTooLow": (
        "No model was registered and nobody was asked. Look for what is wrong with the data and upload "
        "better data, or deploy with another MseThreshold if the threshold is wrong."
    ),
    "TooManyRuns": (
        "The file is kept, and nothing was started for it. Upload it again tomorrow (UTC), or deploy with a "
        "higher MaxRunsPerDay (0 for no limit) and upload it again. Until then every further upload ends "
        "like this one, without a mail. If nobody meant to upload so much, look who did: the bucket's access "
        "logs tell."
    ),
    "ArtifactRefused": (
        "Nobody was asked about the model. Find out who changed it: the bucket's access logs and the "
        "object's versions tell. Restore the right version and redrive the execution, or upload the file "
        "again."
    ),
    "NobodyToAsk": (
        "Confirm the subscription of the approvers' topic by the mail with the subject \"AWS Notification - "
        'Subscription Confirmation", then redrive the execution: it goes on where it stopped.'
    ),
    "States.Timeout": (
        "A step took longer than it may, and its job is stopped. Look into the job's log for what held it "
        "up, then redrive the execution."
    ),
    "SageMaker.ResourceLimitExceededException": (
        "The account may not run this job: ask AWS for the quota that the reason names (Service Quotas, "
        "Amazon SageMaker) or deploy with another instance type, then redrive the execution."
    ),
}
# By the job that failed.
_NEXT_BY_STEP = {
    "preprocess": f"If the reason lies in the file: {_UPLOAD_AGAIN} Otherwise redrive the execution.",
    "predict": f"The model was good enough but could not predict the batch. {_LOOK}",
}
_STEPS = {
    "preprocess": "preparing the data",
    "tune": "tuning the model",
    "evaluate": "evaluating the model",
    "predict": "predicting the batch",
}
_ERRORS = {
    "ArtifactRefused": "a file was changed or is missing",
    "NobodyToAsk": "nobody to ask for approval",
    "States.Timeout": "a step took too long",
    "SageMaker.ResourceLimitExceededException": "a quota is missing",
}


def failure_mail(ending: Ending) -> Mail:
    """The mail about a run that failed, was stopped, or took too long."""
    return _MAILS.get(ending.outcome, _failed)(ending)


def _refused(ending: Ending) -> Mail:
    return _mail(ending, f"Refused: {_upload(ending)}", "The uploaded file cannot be used.")


def _too_many(ending: Ending) -> Mail:
    return _mail(ending, f"Not started: {_upload(ending)}, too many runs today", "The run was not started.")


def _too_weak(ending: Ending) -> Mail:
    return _mail(
        ending, f"Below threshold: no model from {_upload(ending)}", "The best model is not good enough."
    )


def _timed_out(ending: Ending) -> Mail:
    return _mail(
        ending,
        f"Timed out: the run of {_upload(ending)}",
        "The run took longer than a run may and was ended.",
        "Jobs of the run that still work are stopped. Upload the file again.",
    )


def _aborted(ending: Ending) -> Mail:
    return _mail(
        ending,
        f"Stopped: the run of {_upload(ending)}",
        "Somebody stopped the run.",
        "If that was not meant, redrive the execution or upload the file again. Jobs of the run that still "
        "work are stopped.",
    )


def _failed(ending: Ending) -> Mail:
    step = _STEPS.get(ending.job.step if ending.job else "")
    where = step or _ERRORS.get(ending.error, ending.error) or "no error name"
    what = f"The run failed in {step}." if step else "The run failed."
    return _mail(ending, f"Failed: the run of {_upload(ending)} ({where})", what)


_MAILS: dict[str, Callable[[Ending], Mail]] = {
    "UploadRefused": _refused,
    "TooManyRuns": _too_many,
    "ModelQualityTooLow": _too_weak,
    "TIMED_OUT": _timed_out,
    "ABORTED": _aborted,
}


def _mail(ending: Ending, subject: str, what: str, what_next: str = "") -> Mail:
    job = ending.job.name if ending.job else ""
    facts = [("File", defang(ending.upload)), ("Job", job), ("Error", ending.error)]
    next_step = textwrap.fill(f"What next: {what_next or _next_step(ending)}", 78, break_long_words=False)
    cause = defang(ending.cause)
    return Mail(subject, paragraphs(what, cause, facts_block(facts), next_step, where_to_look(ending)))


def _next_step(ending: Ending) -> str:
    step = ending.job.step if ending.job else ""
    return _NEXT_BY_ERROR.get(ending.error) or _NEXT_BY_STEP.get(step, _LOOK)


def _upload(ending: Ending) -> str:
    return defang(ending.upload) or "an upload"

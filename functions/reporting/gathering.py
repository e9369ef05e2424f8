"""Gathers what AWS knows about a run. What is missing is left out, so that every run has a report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from approval.records import find
from approval.request import Approval
from common import lenient
from common.evaluation import Evaluation
from model.artifacts import ArtifactRefused
from model.details import Details, read_details
from model.report import Report
from reporting.facts import prepared_at, read_facts
from reporting.history import History, read_history
from reporting.searches import Search, read_search, search_of
from reuse.files import read_summary
from runs.causes import json_object
from runs.endings import Ending
from runs.names import run_id
from shared.addresses import uri_of
from shared.telemetry import describe_error, logger


@dataclass(frozen=True)
class Run:
    """A run so far. `stopped` is None while it is under way; `facts` are those of `facts.py`."""

    run_id: str
    ending: Ending
    started: datetime
    stopped: datetime | None
    history: History
    facts: Mapping[str, Any]
    report: Report
    search: Search | None
    details: Details
    approval: Approval | None

    @property
    def execution_arn(self) -> str:
        """The execution's ARN."""
        return self.ending.execution_arn

    @property
    def state(self) -> str:
        """The state that the run is in, or was in at its end."""
        return self.history.states[-1].name if self.history.states else ""

    @property
    def waits(self) -> bool:
        """Whether it waits for a person's decision."""
        last = self.history.states[-1].calls if self.history.states else ()
        return self.stopped is None and bool(last) and last[-1].waits_for_a_person


def gather(described: Mapping[str, Any], ending: Ending) -> Run:
    """All about a run, from the answer of DescribeExecution and the end that was read from it."""
    run = run_id(described["executionArn"], described["startDate"])
    history = read_history(described["executionArn"])
    facts = read_facts(run, json_object(described.get("input")), history, ending)
    search = read_search(name) if (name := _search_name(facts, history)) else None
    report = Report.from_facts(facts)
    if not report.evaluation.metrics:
        report = replace(report, evaluation=_prepared(history, run, report.evaluation))
    package = lenient.text(facts.get("model_package_arn"))
    return Run(
        run_id=run,
        ending=ending,
        started=described["startDate"],
        stopped=described.get("stopDate"),
        history=history,
        facts=facts,
        report=report,
        search=search,
        details=read_details(report) if report.evaluation.metrics else Details(),
        approval=find(package) if package else None,
    )


def _search_name(facts: Mapping[str, Any], history: History) -> str:
    """The search that found the model, this run's or an earlier one's; or else the last one."""
    if job := lenient.text(facts.get("training_job")):
        return search_of(job)
    names = [call.job for call in history.calls if call.resource.startswith("createHyperParameterTuningJob")]
    return names[-1] if names else ""


def _prepared(history: History, run: str, evaluation: Evaluation) -> Evaluation:
    """What an evaluation would say about the prepared data, for a run that has not come to one."""
    place = prepared_at(history, run)
    if place is None:
        return evaluation
    try:
        summary = read_summary(uri_of(place[0]), place[1])
    except (ClientError, ArtifactRefused, json.JSONDecodeError) as error:
        logger.warning("prepared data not readable", key=place[0], **describe_error(error))
        return evaluation
    said = {name: summary.get(name) for name in ("workload", "rows", "warnings")}
    digests = {"upload": lenient.text(summary.get("upload_digest")), "prepared data": place[1]}
    return replace(Evaluation.from_json(said), digests=digests)

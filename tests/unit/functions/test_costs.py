"""A run's cost is what its jobs used at the known prices; what comes before and after it follows from that."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from costs.estimates import RunTooExpensive, check_cost, estimate
from costs.history import LAST_RUNS, PastRun, last_runs
from costs.prices import serverless_usd_per_gb_second, usd_per_hour
from costs.remembering import HistoryBusy, remember
from costs.run_costs import RunCost, cost_of, if_readable, of_run
from costs.usage import Use, uses_of
from costs.words import cost_row, notes, sentence, usd
from handlers import notify
from runs.names import run_id
from tests.unit.functions.conftest import World
from tests.unit.functions.fakes import INSTANCE
from tests.unit.functions.requests import ask, ended
from web.form import Entry
from web.pages import open_page

RUN = "mpg-20260301-0925-3fa85f64"
START = datetime(2026, 3, 1, 9, 25, tzinfo=UTC)
HOUR = 0.115  # of an ml.m5.large in us-east-1, for every kind of job


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def times(stem: str, seconds: float) -> dict[str, datetime]:
    return {f"{stem}StartTime": START, f"{stem}EndTime": after(seconds)}


@pytest.fixture
def jobs(world: World) -> World:
    """A run that did all of its steps."""
    fake = world.sagemaker
    tuning = f"{RUN}-0"
    fake.jobs = dict.fromkeys(
        [f"{RUN}-preprocess-0-0", tuning, f"{RUN}-evaluate-0-0", f"{RUN}-predict-0-0"], "Completed"
    )
    fake.used[f"{RUN}-preprocess-0-0"] = times("Processing", 360)
    fake.used[f"{RUN}-evaluate-0-0"] = times("Processing", 179.2)
    fake.used[f"{RUN}-predict-0-0"] = times("Transform", 240)
    fake.trials[tuning] = [{"TrainingJobName": f"{tuning}-{n:03}", **times("Training", 120)} for n in (1, 2)]
    return world


def test_a_run_costs_what_its_jobs_used_by_the_second(jobs: World) -> None:
    cost = of_run(RUN)
    assert cost.steps == {
        "preprocess": round(360 * HOUR / 3600, 6),
        "tune": round(240 * HOUR / 3600, 6),
        "evaluate": round(180 * HOUR / 3600, 6),
        "predict": round(240 * HOUR / 3600, 6),
    }
    assert cost.total == pytest.approx(sum(cost.steps.values()))
    assert (cost.unknown, cost.spot_saving, cost.as_if, cost.currency) == ((), 0.0, False, "USD")


def test_failed_attempts_cost_as_well_and_each_instance_counts(jobs: World) -> None:
    failed = f"{RUN}-preprocess-0-1"
    jobs.sagemaker.jobs[failed] = "Failed"
    cluster = {"ProcessingResources": {"ClusterConfig": {**INSTANCE, "InstanceCount": 3}}}
    jobs.sagemaker.used[failed] = {**cluster, **times("Processing", 60)}
    assert of_run(RUN).steps["preprocess"] == round((360 + 3 * 60) * HOUR / 3600, 6)


def test_a_job_that_has_not_started_costs_nothing_and_one_that_runs_costs_until_now(
    jobs: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("costs.usage.now", lambda: after(100))
    jobs.sagemaker.used[f"{RUN}-preprocess-0-0"] = {}
    jobs.sagemaker.used[f"{RUN}-evaluate-0-0"] = {"ProcessingStartTime": START}
    seconds = {use.job: use.seconds for use in uses_of(RUN, jobs.sagemaker)}
    assert (seconds[f"{RUN}-preprocess-0-0"], seconds[f"{RUN}-evaluate-0-0"]) == (0, 100)


def test_spot_instances_are_billed_for_less_and_the_saving_is_told(jobs: World) -> None:
    jobs.sagemaker.used[f"{RUN}-0"] = {"EnableManagedSpotTraining": True}
    for trial in ("001", "002"):
        said = {"BillableTimeInSeconds": 30, "TrainingTimeInSeconds": 120}
        jobs.sagemaker.used[f"{RUN}-0-{trial}"] = said
    cost = of_run(RUN)
    assert cost.steps["tune"] == round(60 * HOUR / 3600, 6)
    assert cost.spot_saving == round(180 * HOUR / 3600, 6)


def test_reused_steps_have_no_job_and_cost_nothing(world: World) -> None:
    assert of_run(RUN) == RunCost(0.0, {})


def test_what_has_no_price_is_said_and_never_guessed() -> None:
    uses = [
        Use("a", "preprocess", "processing", "ml.m5.large", 1, 3600),
        Use("b", "tune", "training", "ml.x9.large", 1, 3600),
    ]
    cost = cost_of(uses, "us-east-1")
    assert (cost.total, cost.unknown) == (HOUR, ("ml.x9.large (training, us-east-1)",))
    assert "No price is known for ml.x9.large (training, us-east-1); it is left out." in notes(cost)
    assert cost_of(uses, "xx-nowhere-1").steps == {}


def test_the_newest_list_counts_and_other_regions_are_unknown() -> None:
    assert usd_per_hour("us-east-1", "training", "ml.m5.large") == HOUR
    assert usd_per_hour("xx-nowhere-1", "training", "ml.m5.large") is None
    assert serverless_usd_per_gb_second("us-east-1") == 0.00002


def test_a_cost_survives_its_json_and_anything_else_is_none() -> None:
    cost = RunCost(0.3, {"tune": 0.3}, 0.1, ("x",), as_if=True)
    assert RunCost.from_json(json.loads(json.dumps(cost.to_json()))) == cost
    others: list[object] = [None, "no", {}, {"steps": {"tune": "much"}, "total": 1}, {"steps": {}}]
    assert [RunCost.from_json(other) for other in others] == [None] * len(others)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0.00 USD"),
        (12.4, "12.40 USD"),
        (0.031, "0.031 USD"),
        (0.00067, "0.00067 USD"),
        (1e-6, "0.000001 USD"),
    ],
)
def test_small_amounts_keep_two_digits_that_count(value: float, shown: str) -> None:
    assert usd(value) == shown


def test_a_cost_reads_as_one_line() -> None:
    cost = RunCost(0.025, {"preprocess": 0.004, "tune": 0.021}, 0.04, as_if=True)
    said = "0.025 USD as if on AWS (preparing 0.0040, tuning 0.021); spot instances saved 0.040 USD"
    assert cost_row(cost) == [("Cost", said)]
    assert cost_row(None) == []


def test_no_mail_waits_for_a_figure(jobs: World) -> None:
    jobs.sagemaker.broken = "ThrottlingException"
    assert if_readable(RUN) is None


def past(run: str, size: int, *, complete: bool = True, **steps: float) -> PastRun:
    return PastRun(run, size, steps, complete)


def test_an_estimate_takes_each_step_from_the_most_similar_size() -> None:
    runs = [past("large", 1000, preprocess=0.5, tune=2.0), past("small", 10, preprocess=0.1)]
    found = estimate(runs, 20)
    assert found is not None
    assert found.steps == {"preprocess": 0.2, "tune": 2.0}
    assert (found.total, list(found.runs)) == (2.2, ["large", "small"])


def test_a_smaller_upload_costs_no_less_than_the_run_it_is_compared_with() -> None:
    found = estimate([past("one", 1000, tune=2.0)], 1)
    assert found is not None
    assert found.total == 2.0


def test_of_two_runs_of_one_size_the_newer_counts_and_incomplete_ones_never_do() -> None:
    runs = [
        past("old", 10, tune=1.0),
        past("new", 10, tune=3.0),
        past("failed", 10, complete=False, tune=9.0),
    ]
    found = estimate(runs, 10)
    assert found is not None
    assert (found.total, list(found.runs)) == (3.0, ["new"])
    assert estimate([], 10) is None
    assert estimate(runs[2:], 10) is None


def test_a_run_above_the_limit_is_refused_with_the_way_to_tell_why(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember("flowers", past(RUN, 100, tune=2.0))
    monkeypatch.setenv("MAX_RUN_COST_USD", "3")
    found = check_cost("flowers", 150)
    assert found is not None
    assert found.total == pytest.approx(3.0)
    with pytest.raises(
        RunTooExpensive, match=rf"about 4\.00 USD, more than the 3\.00 USD .*MaxRunCostUSD.*{RUN}"
    ):
        check_cost("flowers", 200)
    assert check_cost("other", 10**12) is None


def test_an_unreadable_table_stops_nothing_unless_there_is_a_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_NAME", "missing")
    assert check_cost("flowers", 1) is None
    monkeypatch.setenv("MAX_RUN_COST_USD", "1")
    with pytest.raises(ClientError):
        check_cost("flowers", 1)


def test_the_last_runs_are_kept_and_a_redriven_one_replaces_its_entry(world: World) -> None:
    for number in range(LAST_RUNS + 2):
        assert remember("flowers", past(str(number), 1, tune=1.0)) == {}
    assert remember("flowers", past("5", 1, tune=4.0)) == {"tune": 1.0}
    assert [run.run_id for run in last_runs("flowers")][-2:] == [str(LAST_RUNS + 1), "5"]
    assert len(last_runs("flowers")) == LAST_RUNS


def test_two_runs_that_end_at_once_are_both_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from costs import history, remembering

    read, others = history.read_runs, iter(["first", "second"])

    def read_before_another_writes(workload: str) -> Any:
        found = read(workload)
        if other := next(others, None):
            assert remembering._write(workload, [*found[0], past(other, 1, tune=1.0)], found[1])
        return found

    monkeypatch.setattr(remembering, "read_runs", read_before_another_writes)
    remember("flowers", past("mine", 1, tune=1.0))
    assert [run.run_id for run in last_runs("flowers")] == ["first", "second", "mine"]
    monkeypatch.setattr(remembering, "write_if", lambda *args, **named: False)
    with pytest.raises(HistoryBusy):
        remember("flowers", past("unlucky", 1, tune=1.0))


def metrics_of(printed: str, name: str) -> list[tuple[str, str, float]]:
    lines = [json.loads(line) for line in printed.splitlines() if f'"{name}"' in line]
    return [(line["Workload"], line["Step"], line[name][0]) for line in lines if name in line]


def test_an_end_is_mailed_with_its_cost_which_is_counted_and_remembered_once(
    jobs: World, context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    happened = ended(jobs, "notify-failed")
    execution = happened["detail"]["executionArn"]
    own = run_id(execution, jobs.stepfunctions.executions[execution]["startDate"])
    jobs.sagemaker.jobs = {name.replace(RUN, own): status for name, status in jobs.sagemaker.jobs.items()}
    jobs.sagemaker.used = {name.replace(RUN, own): of for name, of in jobs.sagemaker.used.items()}
    jobs.sagemaker.trials = {}
    for _ in range(2):
        notify.handler(happened, context)
    (mail,) = jobs.mails(jobs.notification_topic)
    assert re.search(rf"Cost: +{re.escape(sentence(of_run(own)))}", mail[1])
    steps = {step: value for _, step, value in metrics_of(capsys.readouterr().out, "CostUSD")}
    assert steps == of_run(own).steps
    (kept,) = last_runs("auto_mpg")
    assert (kept.run_id, kept.steps, kept.complete) == (own, steps, False)
    # It is redriven, fails again, and only what came since is counted.
    again = f"{own}-preprocess-1-0"
    jobs.sagemaker.jobs[again], jobs.sagemaker.used[again] = "Failed", times("Processing", 3600)
    notify.handler(ended(jobs, "notify-failed", redriveCount=1), context)
    assert metrics_of(capsys.readouterr().out, "CostUSD") == [("auto_mpg", "preprocess", HOUR)]


def test_a_refused_upload_asks_for_no_cost(world: World, context: Any) -> None:
    world.sagemaker.broken = "AccessDeniedException"
    notify.handler(ended(world, "notify-upload-refused"), context)
    ((_, text),) = world.mails(world.notification_topic)
    assert "Cost" not in text
    assert not [item for item in world.items() if item["pk"].startswith("cost#")]


def test_the_event_of_a_run_that_is_too_expensive_is_mailed_like_other_refusals(
    world: World, context: Any
) -> None:
    cause = "The run would cost about 4.00 USD, more than the 3.00 USD that MaxRunCostUSD allows."
    notify.handler(ended(world, "notify-upload-refused", error="RunTooExpensive", cause=cause), context)
    ((subject, text),) = world.mails(world.notification_topic)
    assert subject == "Not started: incoming/cars 2026+spring.csv, too expensive"
    assert cause in text
    assert "higher MaxRunCostUSD" in text


def test_the_page_shows_each_step_and_what_the_figure_leaves_out(world: World) -> None:
    cost = RunCost(
        0.025, {"preprocess": 0.004, "tune": 0.021}, 0.04, ("ml.x9.large (transform, here)",), as_if=True
    )
    page = open_page(ask(world, cost=cost.to_json()).record, Entry())
    for shown in ("What it cost", "Preparing", "0.0040 USD", "0.021 USD", "0.025 USD", "embedded AWS"):
        assert shown in page
    assert "No price is known for ml.x9.large (transform, here); it is left out." in page
    assert "What it cost" not in open_page(ask(world).record, Entry())

"""A run's report: whatever became of the run, its page says what is known, and nothing that is secret."""

import hashlib
import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from handlers import notify, review
from reporting.comparing import comparison_page
from reporting.gathering import Run, gather
from reporting.page import report_page
from runs.executions import describe
from runs.notifying import read_ending
from tests.evaluation import DRAWN, EVALUATION
from tests.unit.functions.conftest import BUCKET, World, event
from tests.unit.functions.histories import RUN, START, Story, training_job, tuned
from tests.unit.functions.requests import REJECT, ask, ended, post
from tests.unit.functions.test_page import HOSTILE, Parsed

EXECUTION = event("notify-approved")["detail"]["executionArn"]
TOKEN = "token-of-the-task"
SUMMARY = {
    "workload": "auto_mpg",
    "rows": {"uploaded": 398, "train": 278},
    "warnings": ["3 rows have no label"],
    "report": {},
    "upload_digest": "sha256:00ff",
    "digests": {},
}


def whole_story() -> Story:
    """A run up to the request for approval."""
    story = Story().asks("Check upload", {"workload": "auto_mpg", "suffix": ".csv", "rows": 398}, run_id=RUN)
    tuned(story.works("Preprocess", "preprocess", 100))
    story.works("Evaluate", "evaluate", 50).asks("Keep model", EVALUATION)
    payload = {"task_token": TOKEN, "run_id": RUN, "predictions_uri": "", "trials": 3}
    return story.enters("Ask for approval").calls("invoke.waitForTaskToken", Payload=payload)


@pytest.fixture
def gathered(world: World) -> Callable[..., Run]:
    """Gathers a run that ended as one of the events says, with this history."""
    world.sagemaker.trials[f"{RUN}-0"] = [
        training_job(1, 3.25, "1.5", 101, 130),
        training_job(2, 1.75, "0.5", 101, 150),
        training_job(3, None, "2.5", 131, 140, FailureReason="AlgorithmError: out of memory"),
    ]

    def of(name: str, story: Story | None = None, **detail: Any) -> Run:
        ended(world, name, **detail)
        world.stepfunctions.histories[EXECUTION] = (story or whole_story()).events
        world.stepfunctions.executions[EXECUTION]["stopDate"] = START + timedelta(minutes=20)
        return read(world)

    return of


def read(world: World) -> Run:
    described = describe(EXECUTION)
    return gather(described, read_ending(described))


def shown(run: Run) -> str:
    """The text of the page."""
    return words_of(report_page(run, START + timedelta(hours=1)))


def words_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2])).split())


def test_the_page_of_an_approved_run_has_every_part(gathered: Callable[..., Run], world: World) -> None:
    world.put(f"models/{RUN}/evaluation.json", json.dumps(DRAWN).encode())
    text = shown(gathered("notify-approved", whole_story().answers(300).exits()))
    for words in (
        "Approved", "because a file was uploaded", "20 min", "Where the time went", "instances at work",
        "validation:error, lower is better", "Trial 2: validation:error 1.75, the best", "AlgorithmError: out of memory",
        "incoming/cars 2026+spring.csv", "18.1 KB", "398 uploaded", "Mean squared error", "How it predicts",
        "Bayesian, at most 3 trials, 2 at a time, to minimize validation:error", "alpha 0.01 to 10 (logarithmic)",
        "1 ml.m5.large, on spot instances", "sha256:", f"s3://{BUCKET}/runs/", EXECUTION, "The execution in the AWS console",
    ):  # fmt: skip
        assert words in text, words


def test_the_decision_has_who_when_why_and_where(
    world: World, gathered: Callable[..., Run], context: Any
) -> None:
    asked = ask(world)
    review.handler(post(asked.path, REJECT), context)
    output = {"outcome": "rejected", "evaluation": EVALUATION, "model_package_arn": asked.arn}
    text = shown(gathered("notify-rejected", output=json.dumps(output)))
    assert "Decided: rejected by Grace Hopper on the review page at 20" in text
    assert "Errors grow. Look again." in text
    assert "203.0.113.7" not in text
    assert "Firefox" not in text


def test_no_page_has_the_token_or_the_link(world: World, gathered: Callable[..., Run]) -> None:
    asked = ask(world)
    output = {"outcome": "approved", "evaluation": EVALUATION, "model_package_arn": asked.arn}
    run = gathered("notify-approved", output=json.dumps(output))
    page = report_page(run, START)
    for secret in (TOKEN, asked.token, asked.link_id, asked.record.link_hash):
        assert secret not in page
        assert secret not in repr(run)
    assert TOKEN in str(world.stepfunctions.histories), "or this test shows nothing"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("notify-upload-refused", ["Refused: the file cannot be used", 'horsepower is "abc"']),
        ("notify-too-many-runs", ["Not started: too many runs that day"]),
        ("notify-already-processed", ["Repeated: another run had this upload"]),
        ("notify-failed", ["Failed in the state Preprocess", "has no row with mpg"]),
        ("notify-aborted", ["Stopped", "Wrong file uploaded"]),
        ("notify-timed-out", ["Timed out"]),
    ],
)
def test_a_run_that_came_to_nothing_has_a_page_that_says_why(
    world: World, gathered: Callable[..., Run], name: str, words: list[str]
) -> None:
    world.sagemaker.last_words = {"ExitMessage": "cars.csv has no row with mpg"}
    detail = event(name)["detail"]
    arn = detail["executionArn"]
    ended(world, name)
    story = (
        Story()
        .asks("Check upload", {"workload": "auto_mpg", "suffix": ".csv", "rows": 7})
        .enters("Preprocess")
    )
    world.stepfunctions.histories[arn] = (
        story.calls("createProcessingJob.sync", ProcessingJobName="p").fails(9).events
    )
    described = describe(arn)
    text = shown(gather(described, read_ending(described)))
    for part in words:
        assert part in text
    assert "Where the time went" in text
    assert "7 uploaded" in text
    assert "Trials" not in text
    assert "How it compares" not in text


def test_a_run_that_just_began_has_a_page(world: World) -> None:
    world.stepfunctions.wait("token", EXECUTION)
    world.stepfunctions.histories[EXECUTION] = Story().events
    assert "Under way: it has just begun" in shown(read(world))


def test_the_page_of_a_waiting_run_says_until_when_it_can_be_decided(world: World) -> None:
    asked = ask(world)
    world.stepfunctions.wait("token", EXECUTION)
    story = whole_story()
    details = story.events[-1]["taskScheduledEventDetails"]
    request = json.loads(details["parameters"])
    request["Payload"] |= {"model_package_arn": asked.arn}
    details["parameters"] = json.dumps(request)
    world.stepfunctions.histories[EXECUTION] = story.events
    text = shown(read(world))
    assert "Waits for a decision" in text
    assert f"It can be decided until {asked.record.deadline}" in text
    assert "Mean squared error" in text


def test_prepared_data_is_shown_before_an_evaluation_is_there(
    world: World, gathered: Callable[..., Run]
) -> None:
    body = json.dumps(SUMMARY).encode()
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    story = Story().works("Preprocess", "preprocess", 10).enters("Read prepared digest")
    story.calls("describeProcessingJob", ProcessingJobName=f"{RUN}-preprocess-0-0").answers(
        ExitMessage=digest
    ).exits()
    run = gathered("notify-aborted", story, executionArn=EXECUTION)
    assert "278" not in shown(run)
    world.put(f"runs/{run.run_id}/prepared/summary.json", body)
    text = shown(read(world))
    assert "train 278" in text
    assert "3 rows have no label" in text
    world.put(f"runs/{run.run_id}/prepared/summary.json", body.replace(b"278", b"999"))
    assert "999" not in shown(read(world)), "somebody changed it"


def test_a_reused_search_is_the_earlier_runs(world: World, gathered: Callable[..., Run]) -> None:
    earlier = "mpg-20260228-1200-89abcdef"
    found = {
        "run_id": earlier,
        "training_job": f"{earlier}-0-002-0123abcd",
        "trials": 3,
        "best_hyperparameters": {"alpha": "0.5"},
    }
    story = Story().asks("Find tuned model", {"key": "k", "found": found}, step="tune")
    run = gathered("notify-aborted", story, executionArn=EXECUTION)
    assert run.search is not None
    assert run.search.name == f"{earlier}-0"
    text = shown(run)
    assert f"Of run {earlier}, whose search this run reused." in text
    assert f"tuned model from run {earlier}" in text


def test_what_others_wrote_is_text_on_the_page(world: World, gathered: Callable[..., Run]) -> None:
    asked = ask(world)
    world.sagemaker.trials[f"{RUN}-0"] = [
        training_job(1, 1.0, HOSTILE, 0, 1), training_job(2, None, HOSTILE, 0, 1, FailureReason=HOSTILE)
    ]  # fmt: skip
    evaluation = {**EVALUATION, "title": HOSTILE, "warnings": [HOSTILE], "digests": {HOSTILE: HOSTILE}}
    output = {
        "outcome": HOSTILE, "evaluation": evaluation, "model_package_arn": asked.arn, "reused": {"tune": HOSTILE},
        "best_hyperparameters": {HOSTILE: HOSTILE}, "predictions_uri": HOSTILE,
        "cost": {"total": 1.5, "steps": {HOSTILE: 1.0}, "unknown": [HOSTILE]},
    }  # fmt: skip
    story = tuned(Story().works(HOSTILE, HOSTILE, 10)).ends("Failed")
    run = gathered("notify-approved", story, output=json.dumps(output))
    for page in (report_page(run, START), comparison_page((run, run), START)):
        parsed = Parsed(page)
        tags = {tag for tag, _ in parsed.tags}
        assert not tags & {"script", "img", "iframe", "object", "link", "form"}
        assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
        assert HOSTILE in parsed.text


def test_the_page_loads_and_runs_nothing(gathered: Callable[..., Run]) -> None:
    parsed = Parsed(report_page(gathered("notify-approved"), START))
    [policy] = [tag for name, tag in parsed.tags if name == "meta" and tag.get("http-equiv")]
    assert policy["content"] is not None
    assert policy["content"].startswith("default-src 'none'; style-src 'sha256-")
    sources = [tag["src"] for _, tag in parsed.tags if "src" in tag]
    assert all(str(source).startswith("data:") for source in sources)
    assert not [tag for _, tag in parsed.tags if "style" in tag]


def test_every_drawing_has_words_for_those_who_do_not_see_it(gathered: Callable[..., Run]) -> None:
    page = report_page(gathered("notify-approved"), START)
    drawings = re.findall(r'<svg[^>]*role="img"[^>]*>\s*<(\w+)>([^<]+)', page)
    assert len(drawings) == page.count('role="img"') >= 4
    assert {name for name, words in drawings if words.strip()} == {"title"}
    headings = re.findall(r"<h(\d)", page)
    assert headings.count("1") == 1
    assert all(int(after) <= int(before) + 1 for before, after in pairwise(headings))


def test_advice_on_instances_is_on_the_page(gathered: Callable[..., Run]) -> None:
    run = gathered("notify-approved")
    assert "Which instances would do" not in shown(run)
    text = words_of(report_page(run, START, ["Tuning used 0.2 CPUs: a smaller one would do."]))
    assert "Tuning used 0.2 CPUs: a smaller one would do." in text


def test_a_known_cost_is_shown_by_step(gathered: Callable[..., Run]) -> None:
    cost = {
        "currency": "USD",
        "total": 0.0123,
        "steps": {"tune": 0.01},
        "spot_saving": 0.004,
        "unknown": [],
        "as_if": True,
    }
    output = {"outcome": "approved", "evaluation": EVALUATION, "cost": cost}
    text = shown(gathered("notify-approved", output=json.dumps(output)))
    assert "Cost 0.012 USD as if on AWS" in text
    assert "Tuning 0.010 USD" in text
    assert "Cost" not in shown(gathered("notify-approved"))


def test_the_reason_of_a_retraining_is_shown_and_s3s_own_is_not_one(gathered: Callable[..., Run]) -> None:
    content = json.loads(event("notify-approved")["detail"]["input"])
    content["detail"]["reason"] = "drift"
    assert "because the live model's data drifted" in shown(
        gathered("notify-approved", input=json.dumps(content))
    )
    assert "because a file was uploaded" in shown(gathered("notify-approved"))


def test_two_runs_are_compared_side_by_side(world: World, gathered: Callable[..., Run]) -> None:
    one = gathered("notify-approved")
    better = {
        **EVALUATION,
        "metrics": [
            {**EVALUATION["metrics"][0], "value": 7.7312},
            {**EVALUATION["metrics"][3], "value": 0.8},
        ],
    }
    output = {"outcome": "rejected", "evaluation": better, "best_hyperparameters": {"alpha": "0.25"}}
    other = gathered("notify-rejected", whole_story().answers(100).exits(), output=json.dumps(output))
    page = " ".join(comparison_page((one, other), START).split())
    assert '<span class="better">-1, better</span>' in page
    assert '<span class="worse">-0.0564, worse</span>' in page
    text = words_of(page)
    for words in (
        "Outcome Approved Rejected",
        "Mean squared error 8.73 7.73 -1",
        "alpha 0.5 0.25",
        "Preprocess 1 min 40 s 1 min 40 s",
    ):
        assert words in text, words


def test_the_report_is_in_the_bucket_and_the_mail_links_to_it_for_a_while(
    world: World, gathered: Callable[..., Run], context: Any
) -> None:
    run = gathered("notify-approved")
    for _ in range(3):
        notify.handler(event("notify-approved"), context)
    [(_, text)] = world.mails(world.notification_topic)
    key = f"runs/{run.run_id}/report/report.html"
    [version] = world.s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
    stored = world.s3.get_object(Bucket=BUCKET, Key=key, VersionId=version["VersionId"])
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert stored["CacheControl"] == "no-store"
    assert b"<h1>Approved</h1>" in stored["Body"].read()
    [link] = re.findall(rf"^https://\S+/{key}\?\S+$", text, re.MULTILINE)
    assert "X-Amz-Expires=21600" in link
    assert re.search(r"All about the run, until 20\S+ \S+ UTC at the latest:", text)
    assert f"mpg report {run.run_id} --config-env default" in text


@pytest.mark.parametrize("broken", ["history", "bucket"])
def test_a_report_that_cannot_be_made_delays_no_mail(
    world: World,
    gathered: Callable[..., Run],
    context: Any,
    broken: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gathered("notify-approved")
    if broken == "history":
        world.stepfunctions.broken = "AccessDeniedException"
    else:
        monkeypatch.setenv("BUCKET_NAME", "no-such-bucket")
    assert notify.handler(event("notify-approved"), context) == {"mailed": True}
    [(_, text)] = world.mails(world.notification_topic)
    assert "X-Amz" not in text
    assert re.search(r"All about the run:\nmpg report mpg-\S+ --config-env default\n", text)
    assert '"ReportFailed":[1.0]' in capsys.readouterr().out


def test_a_duplicate_upload_event_makes_no_report(world: World, context: Any) -> None:
    notify.handler(ended(world, "notify-already-processed"), context)
    assert world.s3.list_objects_v2(Bucket=BUCKET, Prefix="runs/")["KeyCount"] == 0

"""Fifty people at once: one decision, one status on the package, one result for the execution, one mail."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.mpg import ROOT
from tests.e2e.race import PEOPLE, entries
from tests.e2e.up import Asked, Up
from tests.e2e.visitor import look, post

SERVED_SECONDS = 60.0
FUNCTION_PROCESSES = 8


def assert_one_won(asked: Asked, answers: list[tuple[int, str]]) -> None:
    assert len(answers) == PEOPLE
    (winner,) = [number for number, (status, _) in enumerate(answers) if status == 303]
    won = entries(winner)
    verdict = "rejected" if won["decision"] == "reject" else "approved"
    heading = f"Already decided by {won['reviewer']} at "
    others = [answer for number, answer in enumerate(answers) if number != winner]
    assert [status for status, _ in others] == [409] * (PEOPLE - 1)
    assert [text for _, text in others if heading not in text] == []

    decision = asked.end()["decision"]
    assert (decision["decision"], decision["reviewer"], decision["comment"]) == (
        *(verdict, won["reviewer"], won["comment"]),
    )
    record = asked.record
    assert (record["status"], record["reviewer"], record["comment"]) == (
        *(verdict.upper(), won["reviewer"], won["comment"]),
    )
    package = asked.package
    assert package["ModelApprovalStatus"] == verdict.capitalize()
    assert package["ApprovalDescription"].startswith(f"{verdict.capitalize()} by {won['reviewer']} at ")
    assert len(results(asked)) == 1
    asked.final_mail(verdict.capitalize())


def results(asked: Asked) -> list[dict[str, Any]]:
    """The results of the task that asks for approval, from the execution's history."""
    pages = asked.up.client("stepfunctions").get_paginator("get_execution_history")
    events = [event for page in pages.paginate(executionArn=asked.execution_arn) for event in page["events"]]
    succeeded = [event["taskSucceededEventDetails"] for event in events if event["type"] == "TaskSucceeded"]
    return [details for details in succeeded if details["resource"] == "invoke.waitForTaskToken"]


def in_one_process(asked: Asked) -> list[tuple[int, str]]:
    """Everyone at the same write, after all checks; tests/e2e/race.py explains how."""
    function = asked.up.resources["ReviewFunction"]
    configuration = asked.up.client("lambda").get_function_configuration(FunctionName=function)
    environment = asked.up.endpoint.environment() | configuration["Environment"]["Variables"]
    command = [sys.executable, "-m", "tests.e2e.race", urlsplit(asked.link).path]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [(status, text) for status, text in json.loads(done.stdout.splitlines()[-1])]


@contextmanager
def few_processes(up: Up) -> Iterator[None]:
    """The effect of ReviewReservedConcurrency: further concurrent requests get 429."""
    functions, name = up.client("lambda"), up.resources["ReviewFunction"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=FUNCTION_PROCESSES)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)


def until_served(link: str, number: int) -> tuple[int, str]:
    """Press the button, and again while there are too many requests."""
    deadline = time.monotonic() + SERVED_SECONDS
    while (answer := post(link, entries(number))).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return answer.status, answer.text


def test_one_of_fifty_simultaneous_writes_of_a_decision_counts(asked: Asked) -> None:
    assert_one_won(asked, in_one_process(asked))


def test_one_of_fifty_simultaneous_posts_to_the_deployed_page_counts(asked: Asked) -> None:
    at_once = threading.Barrier(PEOPLE, timeout=60)

    def press(number: int) -> tuple[int, str]:
        at_once.wait()
        return until_served(asked.link, number)

    with few_processes(asked.up), ThreadPoolExecutor(PEOPLE) as people:
        # Function processes that still have to start would be too late for a race.
        list(people.map(look, [asked.link] * FUNCTION_PROCESSES))
        answers = list(people.map(press, range(PEOPLE)))
    assert_one_won(asked, answers)

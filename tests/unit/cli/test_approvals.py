"""`mpg approvals` shows who decided what, and nothing that could be used to decide."""

import json
from typing import Any

import pytest

from local.cli import approvals, running
from local.cli.approvals import FIELDS, HEADER, read_request, row
from local.cli.endpoint import Endpoint
from local.cli.instance import Note

UNTIL = 1_772_961_000  # 2026-03-08T09:10:00Z
PENDING: dict[str, Any] = {
    "package_arn": "arn:package/1",
    "execution_arn": "arn:execution",
    "run_id": "mpg-20260301-0910-3fa85f64",
    "requested_at": "2026-03-01T09:10:00Z",
    "decide_before": UNTIL,
    "status": "PENDING",
    "facts": json.dumps(
        {
            "key": "incoming/cars.csv",
            "evaluation": {
                "workload": "auto_mpg",
                "metrics": [{"name": "mse", "label": "Mean squared error", "value": 8.7345}],
                "gate": {"metric": "mse", "at_most": 46.0, "passed": True},
            },
        }
    ),
}
REJECTED = {
    **PENDING,
    "status": "REJECTED",
    "requested_at": "2026-02-01T09:10:00Z",
    "reviewer": "Ada Lovelace",
    "comment": "Errors grow.\n" + "Look again. " * 10,
    "decided_at": "2026-02-01T10:00:00Z",
    "decided_via": "review page",
    "decided_from_address": "203.0.113.7",
    "decided_with_browser": "Firefox",
}


class Table:
    """DynamoDB's scan, one item per page; records its requests."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = items
        self.asked: dict[str, Any] = {}

    def get_paginator(self, operation: str) -> "Table":
        assert operation == "scan"
        return self

    def paginate(self, **request: Any) -> Any:
        self.asked = request
        for item in self.items:
            typed = {k: {"N": str(v)} if isinstance(v, int) else {"S": v} for k, v in item.items()}
            yield {"Items": [typed]}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    """A running `mpg up` with two requests, the newer one first."""
    table = Table(PENDING, REJECTED)
    monkeypatch.setattr(running, "read_running", lambda _: Note(1, 4566, "", ""))
    monkeypatch.setattr(running, "endpoint_of", lambda _: Endpoint(4566, "secret"))
    monkeypatch.setattr("local.cli.deploy.outputs", lambda _: {"TableName": "the-table"})
    monkeypatch.setattr(Endpoint, "client", lambda *_: table)
    return table


@pytest.mark.parametrize(
    ("record", "moment", "status"),
    [
        (PENDING, UNTIL - 1, "pending"),
        (PENDING, UNTIL, "expired"),
        (REJECTED, UNTIL + 1, "rejected"),
        ({**REJECTED, "status": "APPROVED"}, 0, "approved"),
    ],
)
def test_an_undecided_request_past_its_deadline_has_expired(
    record: dict[str, Any], moment: float, status: str
) -> None:
    assert read_request(record, moment)["status"] == status


def test_a_line_of_the_table_says_who_when_from_where_and_why_in_short() -> None:
    cells = dict(zip(HEADER, row(read_request(REJECTED, 0)), strict=True))
    assert cells["by"] == "Ada Lovelace"
    assert cells["from"] == "review page, 203.0.113.7"
    assert cells["why"].startswith("Errors grow. Look again.")
    assert len(cells["why"]) == 40
    assert (cells["workload"], cells["measured"]) == ("auto_mpg", "mse 8.735")


def test_a_line_shows_a_later_change_of_the_package() -> None:
    changed = {**REJECTED, "changed_to": json.dumps({"verdict": "approved", "reviewer": "grace"})}
    assert dict(zip(HEADER, row(read_request(changed, 0)), strict=True))["status"] == "rejected, now approved"
    assert read_request({**REJECTED, "overruled": '{"verdict": "approved"}'}, 0)["overruled"] == {
        "verdict": "approved"
    }


def test_typed_text_cannot_control_the_terminal() -> None:
    hostile = {**REJECTED, "reviewer": "Ada\x1b[2J\u202e", "comment": "a\x07b"}
    assert all(cell.isprintable() for cell in row(read_request(hostile, 0)))


def test_the_table_lists_every_request_oldest_first(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    assert approvals.show(as_json=False) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == list(HEADER)
    assert "rejected" in first
    assert "expired" in second or "pending" in second


def test_json_has_the_whole_comment(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    assert approvals.show(as_json=True) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["comment"] == REJECTED["comment"]
    assert (first["address"], first["browser"], second["reviewer"]) == ("203.0.113.7", "Firefox", None)


def test_neither_token_nor_link_is_even_read(table: Table) -> None:
    approvals.show(as_json=True)
    assert table.asked["TableName"] == "the-table"
    assert set(table.asked["ExpressionAttributeNames"].values()) == set(FIELDS)
    assert not {"task_token", "link_hash"} & set(FIELDS)


def test_before_anybody_was_asked_it_says_so(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    table.items = ()
    assert approvals.show(as_json=False) == 0
    assert "Nobody has been asked" in capsys.readouterr().out


@pytest.mark.parametrize("note", [None, Note(1, None, "", "")])
def test_without_mpg_up_it_says_how_to_start_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], note: Note | None
) -> None:
    monkeypatch.setattr(running, "read_running", lambda _: note)
    assert approvals.show(as_json=False) == 2
    assert "mpg up" in capsys.readouterr().out

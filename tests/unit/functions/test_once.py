"""Work is done once, even if its event is duplicated, the work fails, or the function dies in between."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import once
from shared.aws import READ_AT_ONCE
from shared.once import CLAIM_SECONDS
from tests.unit.functions.conftest import World


class Mailbox:
    def __init__(self) -> None:
        self.sent = 0

    def send(self) -> None:
        self.sent += 1


def test_it_is_done_once(world: World) -> None:
    mailbox = Mailbox()
    assert [once.do("x", mailbox.send) for _ in range(3)] == [True, False, False]
    assert mailbox.sent == 1


def test_different_keys_are_done_separately(world: World) -> None:
    mailbox = Mailbox()
    once.do("x", mailbox.send)
    once.do("y", mailbox.send)
    assert mailbox.sent == 2


def test_a_failure_releases_the_claim(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        once.do("x", lambda: divmod(1, 0))  # type: ignore[arg-type]
    assert world.items() == []
    assert once.do("x", Mailbox().send)


def test_a_repeated_write_finds_its_own_claim(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = once._table()
    put = table.put_item

    def put_twice(**item: Any) -> Any:
        put(**item)
        return put(**item)

    monkeypatch.setattr(table, "put_item", put_twice)
    assert once.do("x", Mailbox().send)


def test_a_concurrent_call_is_told_to_come_back_later(world: World) -> None:
    mailbox = Mailbox()

    def meanwhile() -> None:
        with pytest.raises(once.InProgress):
            once.do("x", mailbox.send)

    assert once.do("x", meanwhile)
    assert mailbox.sent == 0


def test_the_claim_of_a_dead_function_lapses(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = datetime.now(UTC) - timedelta(seconds=CLAIM_SECONDS + 5)
    with monkeypatch.context() as patch:
        patch.setattr(once, "now", lambda: long_ago)
        assert once._claim("x", "of the dead", long_ago)
    mailbox = Mailbox()
    assert once.do("x", mailbox.send)
    assert mailbox.sent == 1


def test_a_slow_function_does_not_release_its_successors_claim(world: World) -> None:
    assert once._claim("x", "successor", datetime.now(UTC))
    once._release("x", "predecessor")
    assert world.item("told#x")["claim"] == "successor"


def test_of_many_keys_those_are_found_that_were_not_done(world: World) -> None:
    keys = [str(number) for number in range(2 * READ_AT_ONCE + 1)]
    for key in ("0", "150", "200"):
        once.do(key, Mailbox().send)
    with pytest.raises(ZeroDivisionError):
        once.do("1", lambda: divmod(1, 0))  # type: ignore[arg-type]
    world.table.put_item(Item={"pk": "told#2", "claim": "of another function", "claimed_until": 1})
    assert once.undone(keys) == [key for key in keys if key not in ("0", "150", "200")]
    assert once.undone([]) == []


def test_a_mark_outlives_the_execution_in_step_functions(world: World) -> None:
    once.do("x", Mailbox().send)
    kept = int(world.item("told#x")["expires_at"]) - datetime.now(UTC).timestamp()
    assert 89 * 86400 < kept < 91 * 86400

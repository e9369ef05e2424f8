"""What is fuzzed: functions that take any bytes and fail only if something does not hold that must.

They are the checks of tests/unit/security. Each target is made late: what it imports then is instrumented.
"""

import gzip
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Judge = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """`make` gives the function; `seeds` are the inputs it begins with; `modules` are those it is to get around in."""

    make: Callable[[ExitStack], Judge]
    modules: tuple[str, ...]
    seeds: Callable[[], list[bytes]] = list


def _uploads(_: ExitStack) -> Judge:
    from tests.unit.security.uploads import judge

    return judge


def _tables() -> list[bytes]:
    header, *rows = (ROOT / "data/auto-mpg.csv").read_bytes().splitlines(keepends=True)
    short = header + b"".join(rows[:24])
    original = short.replace(header, b"").replace(b",", b" ")
    quoted = short.replace(b",1,", b',"usa","').replace(b"\n", b'"\n')
    return [
        short,
        b"\xef\xbb\xbf" + short.replace(b"\n", b"\r\n"),
        original,
        quoted,
        short.replace(b",", b";"),
    ]


def _records(_: ExitStack) -> Judge:
    from auto_mpg.inference import input_fn

    def judge(body: bytes) -> None:
        try:
            cars = input_fn(body, "text/csv")
        except ValueError:
            return
        assert cars
        assert all(car.car_name.isprintable() for car in cars)

    return judge


def _archives(_: ExitStack) -> Judge:
    from tests.unit.security.test_hostile_archives import judge_archive

    return lambda data: judge_archive(gzip.compress(data[1:], 1) if data[:1] == b"t" else data)


def _tars() -> list[bytes]:
    from tests.unit.security.test_hostile_archives import CLIMBING, ENDLESS, ENDLESS_SPARSE

    return [b"t" + gzip.decompress(archive) for archive in [*CLIMBING.values(), ENDLESS, ENDLESS_SPARSE]]


def _preprocessors(_: ExitStack) -> Judge:
    import numpy as np

    from auto_mpg.car import CONTENT
    from auto_mpg.features import FEATURES, BadPreprocessor, from_json

    cars = np.ones((2, len(CONTENT)))

    def judge(data: bytes) -> None:
        try:
            preprocessor = from_json(data.decode(errors="replace"))
        except BadPreprocessor:
            return
        assert preprocessor.features(cars).shape == (2, len(FEATURES))

    return judge


def _prepared() -> list[bytes]:
    from auto_mpg.preprocess import prepare
    from common.cluster import Local

    with tempfile.TemporaryDirectory() as folder:
        prepare(ROOT / "data/auto-mpg.csv", "x", Path(folder), Local(workers=1))
        return [(Path(folder) / "preprocessor.json").read_bytes()]


def _models(stack: ExitStack) -> Judge:
    from tests.unit.security.model_trial import ALLOWED, Trial

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (folder / "preprocessor.json").write_bytes(_prepared()[0])
    (folder / "xgboost-version").write_text("3.2.0")
    trial = stack.enter_context(Trial(folder))

    def judge(data: bytes) -> None:
        (folder / "booster").write_bytes(b"{" + data + b"}")
        verdict = trial.verdict(folder / "booster")
        print(f"verdict: {verdict}")
        assert verdict.startswith(ALLOWED)

    return judge


def _boosters() -> list[bytes]:
    import numpy as np
    import xgboost

    rows = np.arange(180.0).reshape(20, 9)
    booster = xgboost.train({"nthread": 1, "max_depth": 2}, xgboost.DMatrix(rows, rows[:, 0], nthread=1), 2)
    return [bytes(booster.save_raw(kind))[1:-1] for kind in ("ubj", "json")]


def _visits(stack: ExitStack) -> Judge:
    import pytest
    from moto import mock_aws

    from tests.unit.functions.conftest import make_context, make_world
    from tests.unit.functions.requests import ask
    from tests.unit.security.test_hostile_visitors import judge_visit, visits

    environment, moto = stack.enter_context(pytest.MonkeyPatch.context()), stack.enter_context(mock_aws())
    world = stack.enter_context(make_world(environment, moto))
    link = ask(world).path
    context = make_context()

    def judge(event: dict[str, Any]) -> None:
        judge_visit(event, context)
        judge_visit(event | {"rawPath": link}, context)

    return _of(visits(), judge)


def _requests(stack: ExitStack) -> Judge:
    import json

    from tests.unit.security.test_hostile_requests import Local, changed_requests

    local = Local(Path(stack.enter_context(tempfile.TemporaryDirectory())))
    stack.callback(local.close)
    return _of(changed_requests(), lambda sent: local.judge(sent[0], json.dumps(sent[1]).encode()))


def _events(_: ExitStack) -> Judge:
    from tests.unit.security import test_hostile_events as events

    tests: list[Any] = [
        events.test_any_cause_is_reported_in_words_even_if_truncated,
        events.test_any_key_cause_error_and_comment_makes_a_clean_mail,
    ]
    return lambda data: [test.hypothesis.fuzz_one_input(data) for test in tests]


def _of(strategy: Any, judge: Callable[[Any], object]) -> Judge:
    """What Hypothesis makes of bytes, judged."""
    from hypothesis import given

    @given(strategy)
    def test(made: Any) -> None:
        judge(made)

    fuzzed: Any = test
    fuzz: Judge = fuzzed.hypothesis.fuzz_one_input
    return fuzz


TARGETS = {
    "uploads": Target(_uploads, ("auto_mpg", "common"), _tables),
    "records": Target(
        _records, ("auto_mpg", "common"), lambda: [b"8,307,130,3504,12,70,1,chevelle\n8,1,?,1,1,1,usa,"]
    ),
    "archives": Target(_archives, ("common", "tarfile", "local.sagemaker.container"), _tars),
    "preprocessors": Target(_preprocessors, ("auto_mpg",), _prepared),
    "models": Target(_models, (), _boosters),
    "visits": Target(_visits, ("handlers", "web", "approval", "model", "shared")),
    "requests": Target(_requests, ("local.sagemaker", "local.embedded.sagemaker_api", "local.embedded.iam")),
    "events": Target(_events, ("handlers", "runs", "approval", "shared", "common")),
}

"""A tampered model is refused, or crashes only the process that tried it.

XGBoost trusts what it loads: some damaged models end its process, some let it compute for ever. So each is loaded in a
job of its own, which has a time limit.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.bundle import read_files
from tests.unit.processing.conftest import booster, prepared, run_script, trained
from tests.unit.security.model_trial import ALLOWED, Trial

__all__ = ["booster", "prepared", "run_script", "trained"]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory, prepared: Path, trained: Path) -> Path:
    import xgboost

    folder = tmp_path_factory.mktemp("model")
    shutil.copy(prepared / "preprocessor.json", folder)
    (folder / "xgboost-model").write_bytes(read_files(trained, {"xgboost-model"})["xgboost-model"])
    (folder / "xgboost-version").write_text(xgboost.__version__)
    return folder


@pytest.fixture(scope="module")
def trial(model_folder: Path) -> Iterator[Trial]:
    """The program that tries models, each in a process of its own; to start it takes longer than most of them."""
    with Trial(model_folder) as started:
        yield started


def damaged(model: bytes, as_json: bytes) -> Iterator[bytes]:
    """Models with a part that is removed, inverted or made huge."""
    for place in range(0, len(model), len(model) // 6):
        yield model[:place] + b"\xff" * 8 + model[place + 8 :]
        yield model[:place] + model[place + 64 :]
        yield b"{" + model[place + 1 :]
    for name in (
        b"left_children",
        b"num_nodes",
        b"split_indices",
        b"num_feature",
        b"base_score",
        b"tree_info",
    ):
        at = as_json.find(name)
        yield as_json[:at] + as_json[at:].replace(b"1", b"-1", 3)
        yield as_json[:at] + as_json[at:].replace(b"1", b"999999999", 2)
        yield as_json.replace(name, b"x")
    yield b'{"learner":' * 10_000 + b"}" * 10_000
    yield b"{" + b"[" * 100_000 + b"}"
    yield b'{"version":[3,2,0],"learner":{}}'
    yield b"{L" + b"\x7f" * 8 + b"}"


def test_a_damaged_model_is_refused_or_ends_only_its_own_process(
    model_folder: Path, booster: Any, trial: Trial, tmp_path: Path
) -> None:
    whole, path = model_folder / "xgboost-model", tmp_path / "damaged"
    assert trial.verdict(whole) == "loaded"
    for model in damaged(whole.read_bytes(), bytes(booster.save_raw("json"))):
        path.write_bytes(model)
        assert trial.verdict(path).startswith(ALLOWED)


def test_a_model_of_an_older_format_or_a_pickle_is_refused(trial: Trial, tmp_path: Path) -> None:
    path = tmp_path / "other"
    for model in (
        b"binf\x01\0\0\0",
        b"bs64AAAA",
        b"\x80\x04cos\nsystem\n",
        b"booster[0]:\n0:leaf=1\n",
        bytes(5000),
    ):
        path.write_bytes(model)
        assert trial.verdict(path) == "refused"

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import example, given
from hypothesis import strategies as st

from auto_mpg import inference, onnx_inference, requests
from auto_mpg.inference import MODEL_FILES, Model, input_fn, model_fn, output_fn, predict_fn
from common.serving import FILES_DIGEST, BadRequest, UnsupportedContentType, UnusableModel, files_digest
from tests.unit.processing.conftest import SCRIPTS

Reader = Callable[[bytes, str], object]

ROW = "8,307,130,3504,12,70,1,chevrolet chevelle malibu"
# Bodies that are no cars, and how the refusal begins.
HOSTILE = [
    (
        "8,307,130,3504,12,70",
        "record 1: has 6 fields; expected 8: cylinders,displacement,horsepower,weight,acceleration,"
        "model_year,origin,car_name (the name may be left out)",
    ),
    (f"{ROW}\n18,{ROW}\n", "record 2: has 9 fields; expected 8: cyl"),
    (f"{ROW}\n\n{ROW}", "record 2: is empty; expected 8: cyl"),
    ("", "record 1: is empty; expected 8: cyl"),
    ("cylinders,displacement,horsepower,weight,acceleration,model_year,origin", "record 1: cylinders is"),
    (ROW.replace("3504", "heavy"), 'record 1: weight is "heavy"; expected a number'),
    (ROW.replace("3504", "nan"), 'record 1: weight is "nan"; expected a number'),
    (ROW.replace("3504", ""), "record 1: weight is missing; expected a number"),
    (f'{ROW}\n8,307,130,3504,12,70,1,"a\nb"', "record 2: unexpected end of data"),
    (f"{ROW}\r{ROW}", "record 1: new-line character seen"),
]


@pytest.fixture
def model(bundle: Path) -> Model:
    return model_fn(str(bundle))


def answer(model: Model, body: str | bytes, accept: str = "text/csv") -> str:
    return output_fn(predict_fn(input_fn(body, "text/csv"), model), accept)[0]


# Some of each kind.
BUNDLED = (
    *("code/inference.py", "code/wsgi.py", "code/auto_mpg/car.py", "code/common/digests.py"),
    *("preprocessor.json", "xgboost-model", "xgboost-version"),
)


def test_the_files_that_were_evaluated_are_served(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILES_DIGEST, files_digest(bundle, MODEL_FILES))
    (bundle / "code" / "__pycache__").mkdir()
    assert answer(model_fn(str(bundle)), ROW)


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_files_that_were_not_evaluated_are_not_served(
    name: str, change: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FILES_DIGEST, files_digest(bundle, MODEL_FILES))
    changed = bundle / name
    changed.write_bytes(changed.read_bytes() + b" ") if change == "changed" else changed.unlink()
    with pytest.raises(UnusableModel, match=r"not those that were evaluated|is missing"):
        model_fn(str(bundle))


def test_a_raw_row_gets_a_plausible_number(model: Model) -> None:
    assert answer(model, ROW).endswith("\n")
    assert 12 < float(answer(model, ROW)) < 22


@pytest.mark.parametrize(
    "row",
    [
        ROW.encode(),
        ROW + "\n",
        ROW + "\r\n",
        "\ufeff" + ROW,
        "8,307,130,3504,12,70,1",
        "8.0,307.0,130.0,3504.,12,1970,USA,",
        '"8","307",130,3504,12,70,1,"a, ""b"""',
        " 8, 307, 130, 3504, 12, 70, 1, x",
    ],
)
def test_the_same_car_gets_the_same_prediction_in_every_spelling(row: str | bytes, model: Model) -> None:
    assert answer(model, row) == answer(model, ROW)


@pytest.mark.parametrize("marker", ["", "?", "NA"])
def test_a_missing_horsepower_is_filled_in_as_in_training(marker: str, model: Model) -> None:
    median = str(model.preprocessor.missing_horsepower)
    assert answer(model, ROW.replace("130", marker)) == answer(model, ROW.replace("130", median))


def test_many_rows_are_answered_line_by_line_in_their_order(model: Model) -> None:
    rows = [f"4,98,{power},{weight},15,76,3," for power in (60, 90) for weight in range(1600, 5000, 50)]
    assert answer(model, "\n".join(rows)) == "".join(answer(model, row) for row in rows)


def test_json_has_the_form_of_the_built_in_algorithm(model: Model) -> None:
    document = json.loads(answer(model, f"{ROW}\n{ROW}\n", "application/json"))
    assert document == {"predictions": [{"score": float(answer(model, ROW))}] * 2}


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("text/csv", "text/csv"),
        ("text/csv; charset=utf-8", "text/csv"),
        ("*/*", "text/csv"),
        ("application/json", "application/json"),
        ("text/html, application/json;q=0.9", "application/json"),
    ],
)
def test_the_content_type_is_one_that_is_accepted(accept: str, given: str) -> None:
    assert output_fn(np.array([17.25], np.float32), accept)[1] == given


def test_an_unsupported_accept_type_is_refused() -> None:
    with pytest.raises(ValueError, match="image/png cannot be given; accept text/csv or application/json"):
        output_fn(np.array([17.25], np.float32), "image/png")


@pytest.mark.parametrize("read", [input_fn, onnx_inference.feed])
@pytest.mark.parametrize(("body", "message"), HOSTILE)
def test_a_record_that_is_no_car_is_named(read: Reader, body: str, message: str) -> None:
    with pytest.raises(BadRequest, match=r"^record") as refused:
        read(body.encode(), "text/csv")
    assert str(refused.value).startswith(message)


_FIELDS = st.sampled_from(
    ["8", "307.0", "1e2", " 70", "1970", "?", "NA", "", "usa", "3", '"2"', '"a, b"', '"', "\r", "x"]
)


@given(
    st.lists(st.lists(_FIELDS, min_size=6, max_size=9).map(",".join), min_size=1, max_size=3).map("\n".join)
)
@example("8,307,?,3504,12,70,usa\r\n4,91,53,2000,17,1982,3\r\n")
@example(f'{ROW}\n8,307,130,3504,12,70,1,"a\n{ROW}"')
@example('8,307,130,3504,12,70,1,"chevrolet"\n4,91,53,2000,17,82,3, "audi"\n')
@example(f"8,307,130,3504,12,70,1,{'a' * 140_000}")
@example(f"{ROW}\n{ROW},4\n97,88,2130,14.5,70,3,datsun")
@example(f"{'0' * 140_000}8,307,130,3504,12,70,1")
def test_a_body_read_by_columns_is_what_it_is_read_by_records(body: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "_read_columns", lambda _: None)
        expected = outcome(body)
    np.testing.assert_equal(outcome(body), expected)


def outcome(body: str) -> object:
    try:
        return input_fn(body, "text/csv").tolist()
    except BadRequest as refused:
        return str(refused)


def test_what_is_kept_of_texts_is_bounded() -> None:
    for start in range(1, 60_000, 20_000):
        input_fn("\n".join(ROW.replace("3504", f"{start + n}.5") for n in range(20_000)), "text/csv")
    assert max(map(len, requests._VALUES.values())) <= 20_000


@pytest.mark.parametrize("read", [input_fn, onnx_inference.feed])
def test_a_body_that_is_no_utf_8_is_refused(read: Reader) -> None:
    with pytest.raises(BadRequest, match="the body is not encoded in UTF-8"):
        read(ROW.encode("utf-16"), "text/csv")


@pytest.mark.parametrize("read", [input_fn, onnx_inference.feed])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_only_csv_is_understood(read: Reader, content_type: str) -> None:
    with pytest.raises(UnsupportedContentType, match="is not supported; send text/csv"):
        read(ROW.encode(), content_type)


def test_the_content_type_may_name_a_character_set() -> None:
    assert len(input_fn(ROW.encode(), "text/csv; charset=utf-8")) == 1


def edit_json(change: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        document = json.loads(content)
        change(document)
        return json.dumps(document).encode()

    return edit


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("preprocessor.json", lambda content: content[:-9], "preprocessor.json is damaged"),
        ("preprocessor.json", lambda _: b"[]", "preprocessor.json is damaged"),
        ("preprocessor.json", lambda _: b"\xff", "preprocessor.json is damaged"),
        ("preprocessor.json", lambda _: b"[" * 100_000, "preprocessor.json is damaged"),
        (
            "preprocessor.json",
            edit_json(lambda document: document["features"].reverse()),
            "preprocessor.json describes other features than this code makes",
        ),
        (
            "preprocessor.json",
            edit_json(lambda document: document.update(format=2)),
            "preprocessor.json describes other features than this code makes",
        ),
        (
            "preprocessor.json",
            edit_json(lambda document: document["numbers"]["weight"].update(scale=0)),
            "preprocessor.json holds numbers that cannot be",
        ),
        (
            "preprocessor.json",
            edit_json(lambda document: document.update(missing_horsepower=float("nan"))),
            "preprocessor.json holds numbers that cannot be",
        ),
        (
            "preprocessor.json",
            edit_json(lambda document: document["numbers"]["weight"].update(mean="heavy")),
            "preprocessor.json is damaged",
        ),
        (
            "xgboost-model",
            lambda content: content[: len(content) // 2],
            "xgboost-model is missing or no whole XGBoost model",
        ),
        ("xgboost-model", lambda _: b"", "xgboost-model is missing or no whole XGBoost model"),
        ("xgboost-model", lambda _: b"{}", "xgboost-model is no XGBoost model"),
        ("xgboost-model", lambda _: b'{"garbage": 1}', "xgboost-model is no XGBoost model"),
        ("xgboost-version", lambda _: b"2.1.4\n", "made with XGBoost 2.1.4, but this is XGBoost 3.2.0"),
        ("xgboost-version", lambda _: b"\xff", "made with XGBoost \ufffd, but this is XGBoost 3.2.0"),
    ],
)
def test_a_bundle_that_was_tampered_with_is_refused(
    name: str, change: Callable[[bytes], bytes], message: str, bundle: Path
) -> None:
    path = bundle / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UnusableModel) as refused:
        model_fn(str(bundle))
    assert str(refused.value) == message


@pytest.mark.parametrize("name", ["preprocessor.json", "xgboost-model", "xgboost-version"])
def test_a_bundle_that_lacks_a_file_is_refused(name: str, bundle: Path) -> None:
    (bundle / name).unlink()
    with pytest.raises(UnusableModel, match=name):
        model_fn(str(bundle))


def test_a_later_patch_of_the_same_xgboost_serves_the_model(bundle: Path) -> None:
    (bundle / "xgboost-version").write_text("3.2.99")
    assert model_fn(str(bundle))


def test_a_booster_that_was_trained_on_other_columns_is_refused(bundle: Path) -> None:
    rows = xgboost.DMatrix(np.ones((2, 8)), np.ones(2), nthread=1)
    booster = xgboost.train({"nthread": 1}, rows, 1)
    (bundle / "xgboost-model").write_bytes(bytes(booster.save_raw("ubj")))
    with pytest.raises(UnusableModel, match="the booster was trained on 8 features, not 9"):
        model_fn(str(bundle))


def test_the_preprocessor_survives_json_to_the_last_digit(prepared: Path) -> None:
    from auto_mpg.features import from_json, to_json

    text = (prepared / "preprocessor.json").read_text()
    assert to_json(from_json(text)) == text


def test_serving_needs_neither_pandas_nor_scikit_learn(tmp_path: Path) -> None:
    """Imports are most of the time that a small endpoint takes to start."""
    assert imports_without("auto_mpg.inference", "pandas", "sklearn", cwd=tmp_path)


def test_answering_with_onnx_needs_only_numpy(tmp_path: Path) -> None:
    others = ("pandas", "sklearn", "scipy", "xgboost", "onnx", "onnxruntime")
    assert imports_without("auto_mpg.onnx_inference", *others, cwd=tmp_path)


def imports_without(module: str, *missing: str, cwd: Path) -> bool:
    """Whether a new interpreter imports the module if these are not installed."""
    hidden = f"sys.modules.update(dict.fromkeys({missing!r}))"
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); {hidden}; import {module}"
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, timeout=120, check=False).returncode == 0


def test_the_functions_are_those_that_the_container_looks_for() -> None:
    assert all(callable(getattr(inference, f"{name}_fn")) for name in ("model", "input", "predict", "output"))
    assert not hasattr(inference, "transform_fn")

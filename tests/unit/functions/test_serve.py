"""The function that answers with a model as ONNX: only with the one that its version names, and mistakes get their reason."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from handlers import serve
from serving.model import ModelRefused
from tests.unit.functions.conftest import BUCKET, World

KEY = "models/mpg-20260301-0915-0123abcd/model.onnx"
ROW = "8,307,130,3504,12,70,1,some car"


def graph() -> bytes:
    """A model that predicts a car's weight."""
    nodes = [helper.make_node("Slice", ["numbers", "from", "to", "axis"], ["mpg"])]
    places = {"from": 3, "to": 4, "axis": 1}
    made = helper.make_graph(
        nodes,
        "weight",
        [
            helper.make_tensor_value_info("numbers", TensorProto.DOUBLE, [None, 6]),
            helper.make_tensor_value_info("origin", TensorProto.INT64, [None, 1]),
        ],
        [helper.make_tensor_value_info("mpg", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor(name, TensorProto.INT64, [1], [at]) for name, at in places.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(onnx.ModelProto.SerializeToString(model))


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A version of the function with a model in the bucket."""
    content = graph()
    world.put(KEY, content)
    variables = {
        "BUCKET_NAME": BUCKET,
        "WORKLOAD": "auto_mpg",
        "MODEL_KEY": KEY,
        "MODEL_DIGEST": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    serve.model.cache_clear()
    yield world
    serve.model.cache_clear()


def ask(context: Any, **request: Any) -> dict[str, Any]:
    return serve.handler({"content_type": "text/csv", "body": f"{ROW}\n", **request}, context)


def test_rows_get_the_models_answers(served: World, context: Any) -> None:
    assert ask(context, accept="text/csv", body=f"{ROW}\n{ROW}\n") == {
        "status": 200,
        "content_type": "text/csv",
        "body": "3504.0\n3504.0\n",
    }


def test_a_body_may_be_encoded(served: World, context: Any) -> None:
    body = base64.b64encode(ROW.encode()).decode()
    assert ask(context, encoding="base64", body=body)["body"] == "3504.0\n"


def test_the_model_is_read_once(served: World, context: Any) -> None:
    ask(context)
    served.s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert ask(context)["status"] == 200


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        ({"body": "8,many,130,3504,12,70,1,car\n"}, 400, 'displacement is "many"'),
        ({"body": ""}, 400, "record"),
        ({"body": "\ud800"}, 400, ""),
        ({"content_type": "text/plain"}, 415, "text/plain is not supported"),
        ({"accept": "image/png"}, 406, "image/png cannot be given"),
        ({"body": 7}, 400, "body is no string"),
        ({"accept": None}, 400, "accept is no string"),
        ({"rows": "1"}, 400, 'unknown field "rows"'),
        ({"encoding": "gzip"}, 400, 'encoding is "gzip"'),
        ({"encoding": "base64", "body": "%"}, 400, "not encoded in base64"),
    ],
)
def test_a_callers_mistake_gets_its_status_and_reason(
    served: World, context: Any, request_: dict[str, Any], status: int, reason: str
) -> None:
    answer = ask(context, **request_)
    assert answer.keys() == {"status", "error"}
    assert answer["status"] == status
    assert reason in answer["error"]


@pytest.mark.parametrize("payload", [None, [], "8,307", 7, {}, {"content_type": "text/csv"}])
def test_a_payload_of_another_form_is_refused_with_the_form(
    served: World, context: Any, payload: Any
) -> None:
    answer = serve.handler(payload, context)
    assert answer["status"] == 400
    assert '"content_type": "text/csv"' in answer["error"]


def test_a_changed_model_answers_nobody(served: World, context: Any) -> None:
    served.put(KEY, graph() + b" ")
    with pytest.raises(ModelRefused, match=f"{KEY} was changed after it was approved"):
        ask(context)


def test_a_deleted_model_answers_nobody(served: World, context: Any) -> None:
    served.s3.delete_object(Bucket=BUCKET, Key=KEY)
    with pytest.raises(ModelRefused, match="missing"):
        ask(context)


@pytest.mark.parametrize(
    ("name", "value"), [("MODEL_KEY", ""), ("MODEL_DIGEST", ""), ("WORKLOAD", "../other"), ("WORKLOAD", "")]
)
def test_a_version_without_a_model_answers_nobody(
    served: World, context: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ModelRefused, match="only a release"):
        ask(context)

"""An evaluated model is kept where no job can write, unless it was changed since."""

import base64
import hashlib
import json
from typing import Any

import pytest

from common.baseline_files import FILES
from common.evaluation import Evaluation
from handlers import keep_model
from model import kept
from model.artifacts import ArtifactRefused, copy, stored_digest
from runs.scheduled import RequestNotScheduled
from tests.evaluation import DRAWN
from tests.evaluation import EVALUATION as SAMPLE
from tests.unit.functions.conftest import BUCKET, World

MODEL, ONNX = b"a model", b"the same as ONNX"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


SUMMARY = {**SAMPLE, "digests": {"model": digest(MODEL), "onnx": digest(ONNX)}}
EVALUATION = (json.dumps({**SUMMARY, **DRAWN}, indent=2) + "\n").encode()
READ = Evaluation.from_json(
    {**json.loads(EVALUATION), "digests": {**SUMMARY["digests"], "evaluation": digest(EVALUATION)}}
)


URI = f"s3://{BUCKET}/runs/mpg-1/evaluation"
GATE = {name: value for name, value in SUMMARY["gate"].items() if name != "passed"}
REQUEST: dict[str, Any] = {
    "execution_arn": "arn:1",
    "run_id": "mpg-1",
    "evaluation_uri": URI,
    "evaluation_digest": digest(EVALUATION),
    "gate": {**GATE, "parameter": "MseThreshold"},
}


def keep(run_id: str, evaluation_digest: str) -> Evaluation:
    return kept.keep(run_id, URI, evaluation_digest, GATE)


@pytest.fixture
def evaluated(world: World) -> World:
    """The bucket after an evaluation."""
    world.put("runs/mpg-1/evaluation/evaluation.json", EVALUATION)
    world.put("runs/mpg-1/evaluation/model.tar.gz", MODEL)
    world.put("runs/mpg-1/evaluation/model.onnx", ONNX)
    return world


def test_model_and_evaluation_are_kept_as_they_were(evaluated: World) -> None:
    assert keep("mpg-1", digest(EVALUATION)) == READ
    for name, content in {
        "evaluation.json": EVALUATION,
        "model.tar.gz": MODEL,
        "model.onnx": ONNX,
    }.items():
        kept = evaluated.s3.get_object(Bucket=BUCKET, Key=f"models/mpg-1/{name}", ChecksumMode="ENABLED")
        assert kept["Body"].read() == content
        assert base64.b64decode(kept["ChecksumSHA256"]) == hashlib.sha256(content).digest()


def test_a_model_without_onnx_is_kept_without(evaluated: World) -> None:
    evaluation = json.dumps({**SUMMARY, "digests": {"model": digest(MODEL)}}).encode()
    evaluated.put("runs/mpg-1/evaluation/evaluation.json", evaluation)
    keep("mpg-1", digest(evaluation))
    found = evaluated.s3.list_objects_v2(Bucket=BUCKET, Prefix="models/")["Contents"]
    assert [entry["Key"] for entry in found] == [
        f"models/mpg-1/{n}" for n in ("evaluation.json", "model.tar.gz")
    ]


@pytest.fixture
def watched(evaluated: World) -> str:
    """The digest of an evaluation with a baseline, in the bucket."""
    contents = {name: name.encode() for name in FILES}
    digests = {**SUMMARY["digests"], **{name: digest(content) for name, content in contents.items()}}
    body = json.dumps({**SUMMARY, "digests": digests}).encode()
    for name, content in {"evaluation.json": body, **contents}.items():
        evaluated.put(f"runs/mpg-1/evaluation/{name}", content)
    return digest(body)


def test_the_files_of_a_baseline_are_kept_with_their_digests(evaluated: World, watched: str) -> None:
    found = kept.keep("mpg-1", URI, watched, None)
    for name in FILES:
        assert stored_digest(BUCKET, f"models/mpg-1/{name}") == found.digests[name] == digest(name.encode())


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_of_a_baseline_is_refused_by_name(evaluated: World, watched: str, name: str) -> None:
    evaluated.put(f"runs/mpg-1/evaluation/{name}", b"something else")
    with pytest.raises(
        ArtifactRefused, match=f"^runs/mpg-1/evaluation/{name} was changed after the evaluation"
    ):
        kept.keep("mpg-1", URI, watched, None)


@pytest.mark.parametrize(
    ("gate", "passed"),
    [
        ({"metric": "mse", "at_most": 5.0}, False),
        ({"metric": "mse", "at_most": 100.0, "parameter": "Limit"}, True),
        ({"metric": "mse", "at_least": 5.0}, True),
    ],
)
def test_the_kept_evaluation_has_the_gate_of_the_run_that_keeps_it(
    evaluated: World, gate: dict[str, Any], passed: bool
) -> None:
    found = kept.keep("mpg-2", URI, digest(EVALUATION), gate)
    limits = {name: value for name, value in gate.items() if name != "parameter"}
    stored = evaluated.s3.get_object(
        Bucket=BUCKET, Key="models/mpg-2/evaluation.json", ChecksumMode="ENABLED"
    )
    body = stored["Body"].read()
    assert json.loads(body) == {**json.loads(EVALUATION), "gate": {**limits, "passed": passed}}
    assert (found.passed, found.digests["evaluation"]) == (passed, digest(body))
    assert base64.b64decode(stored["ChecksumSHA256"]) == hashlib.sha256(body).digest()


def test_a_run_that_began_before_the_deployment_keeps_its_own_evaluation_as_it_is(
    evaluated: World, context: Any
) -> None:
    # Its definition asks for the digest that the job named, and has no gate to send.
    compact = json.dumps({**SUMMARY, **DRAWN}).encode()
    evaluated.put("runs/mpg-1/evaluation/evaluation.json", compact)
    before = {"execution_arn": "arn:1", "run_id": "mpg-1", "evaluation_digest": digest(compact)}
    evaluated.stepfunctions.schedule(before)
    keep_model.handler(before, context)
    assert stored_digest(BUCKET, "models/mpg-1/evaluation.json") == digest(compact)


def test_the_state_machine_gets_the_evaluation_without_figures(evaluated: World, context: Any) -> None:
    evaluated.stepfunctions.schedule(REQUEST)
    answer = keep_model.handler(REQUEST, context)
    assert json.loads(json.dumps(answer)) == json.loads(json.dumps(READ.summary()))
    assert answer["digests"] == {**SUMMARY["digests"], "evaluation": digest(EVALUATION)}


@pytest.mark.parametrize("forged", [{}, {"run_id": "mpg-2"}, {"evaluation_digest": "none"}])
def test_nothing_is_kept_unless_an_execution_waits_for_it(
    evaluated: World, context: Any, forged: dict[str, str]
) -> None:
    evaluated.stepfunctions.schedule(REQUEST)
    if not forged:
        evaluated.stepfunctions.histories["arn:1"].append({"type": "TaskSucceeded"})
    with pytest.raises(RequestNotScheduled):
        keep_model.handler({**REQUEST, **forged}, context)
    assert "Contents" not in evaluated.s3.list_objects_v2(Bucket=BUCKET, Prefix="models/")


@pytest.mark.parametrize("name", ["evaluation.json", "model.tar.gz", "model.onnx"])
def test_a_changed_file_is_refused_by_name(evaluated: World, name: str) -> None:
    evaluated.put(f"runs/mpg-1/evaluation/{name}", b"something else")
    with pytest.raises(
        ArtifactRefused, match=f"^runs/mpg-1/evaluation/{name} was changed after the evaluation"
    ):
        keep("mpg-1", digest(EVALUATION))


def test_a_changed_evaluation_cannot_vouch_for_a_changed_model(evaluated: World) -> None:
    changed = EVALUATION.replace(digest(MODEL).encode(), digest(b"another").encode())
    evaluated.put("runs/mpg-1/evaluation/evaluation.json", changed)
    evaluated.put("runs/mpg-1/evaluation/model.tar.gz", b"another")
    with pytest.raises(ArtifactRefused, match=r"evaluation\.json was changed"):
        keep("mpg-1", digest(EVALUATION))


@pytest.mark.parametrize("name", ["evaluation.json", "model.tar.gz", "model.onnx"])
def test_a_missing_file_is_refused_by_name(evaluated: World, name: str) -> None:
    evaluated.s3.delete_object(Bucket=BUCKET, Key=f"runs/mpg-1/evaluation/{name}")
    with pytest.raises(ArtifactRefused, match=f"^runs/mpg-1/evaluation/{name} is missing"):
        keep("mpg-1", digest(EVALUATION))


def test_an_evaluation_whose_job_named_no_digest_is_refused(evaluated: World) -> None:
    with pytest.raises(ArtifactRefused, match="not none"):
        keep("mpg-1", "none")


def test_a_second_attempt_keeps_the_same(evaluated: World) -> None:
    assert keep("mpg-1", digest(EVALUATION)) == keep("mpg-1", digest(EVALUATION))


def test_a_kept_object_is_known_by_its_digest_and_any_other_is_not(world: World) -> None:
    world.put("runs/a", MODEL)
    copied = copy({"Bucket": BUCKET, "Key": "runs/a"}, BUCKET, "models/a", "application/gzip")
    assert stored_digest(BUCKET, "models/a") == copied == digest(MODEL)
    world.put("models/a", MODEL)
    assert stored_digest(BUCKET, "models/a") == ""
    assert stored_digest(BUCKET, "models/none") == ""


def test_an_object_that_was_written_in_parts_has_no_digest_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts = {"ChecksumSHA256": f"{base64.b64encode(bytes(32)).decode()}-2", "ContentLength": 1}
    monkeypatch.setattr(world.s3, "head_object", lambda **_: in_parts)
    assert stored_digest(BUCKET, "models/a") == ""


def test_the_gates_metric_of_every_model_is_measured_by_workload(
    evaluated: World, context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated.stepfunctions.schedule(REQUEST)
    keep_model.handler(REQUEST, context)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [measured] = [line for line in printed if "GateMetric" in line]
    assert (measured["GateMetric"], measured["Workload"]) == ([8.7312], "auto_mpg")
    [described] = measured["_aws"]["CloudWatchMetrics"]
    assert [sorted(names) for names in described["Dimensions"]] == [["Workload", "service"]]


def test_an_evaluation_that_would_fill_the_page_is_refused_with_its_size(evaluated: World) -> None:
    large = json.dumps({**SUMMARY, "figures": [{"kind": "pictures", "title": "x" * 1_000_000}]}).encode()
    evaluated.put("runs/mpg-1/evaluation/evaluation.json", large)
    with pytest.raises(
        ArtifactRefused, match=r"^runs/mpg-1/evaluation/evaluation\.json has 1,00\d,\d{3} bytes, more than"
    ):
        keep("mpg-1", digest(large))


def test_a_file_that_is_changed_right_after_the_check_is_not_used(
    evaluated: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_and_change(source: dict[str, str], bucket: str, key: str, content_type: str) -> str:
        copied = copy(source, bucket, key, content_type)
        evaluated.put(source["Key"], EVALUATION.replace(b"8.7312", b"0.7312"))
        return copied

    monkeypatch.setattr(kept, "copy", copy_and_change)
    assert keep("mpg-1", digest(EVALUATION)) == READ

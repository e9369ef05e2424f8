"""Predicts the mean for every request."""

from pathlib import Path

from common.serving import BadRequest, UnusableModel, refuse_changed_files

MODEL_FILES = ("mean.txt",)


def model_fn(model_dir: str) -> float:
    refuse_changed_files(Path(model_dir), MODEL_FILES)
    try:
        return float((Path(model_dir) / "mean.txt").read_text())
    except ValueError:
        raise UnusableModel("mean.txt is no number") from None


def input_fn(body: str | bytes, content_type: str) -> list[str]:
    if not body:
        raise BadRequest("record 1: is empty")
    return (body.decode() if isinstance(body, bytes) else body).splitlines()


def predict_fn(records: list[str], model: float) -> list[float]:
    return [model for _ in records]


def output_fn(predictions: list[float], accept: str) -> tuple[str, str]:
    return "".join(f"{prediction}\n" for prediction in predictions), "text/csv"

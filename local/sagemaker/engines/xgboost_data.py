"""The channels of the built-in XGBoost, read with the same functions as in the real container."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import xgboost

from local.sagemaker.engines.hyperparameters import UserError

CSV_TYPES = ("text/csv", "csv")
PARQUET_TYPES = ("application/x-parquet", "parquet")
OTHER_TYPES = (
    *("libsvm", "text/libsvm", "text/x-libsvm"),
    *("recordio-protobuf", "application/x-recordio-protobuf"),
)
CHANNELS = ("train", "validation", "code")
SMALL_BYTES = 16 << 20


def check_channels(channels: Mapping[str, Mapping[str, str]]) -> None:
    """Raise `UserError` for channels that the container, or this one, cannot read."""
    if "train" not in channels:
        raise UserError("Missing required channel: train")
    for name, channel in channels.items():
        if name not in CHANNELS:
            raise UserError(f"Extraneous channel found: {name}")
        content_type = channel.get("ContentType", "text/libsvm")
        known = (*CSV_TYPES, *PARQUET_TYPES)
        if name != "code" and content_type in OTHER_TYPES:
            use = "text/csv or application/x-parquet"
            raise UserError(
                f"Channel {name}: content type {content_type} is not supported locally; use {use}"
            )
        if name != "code" and content_type not in known:
            raise UserError(f"{content_type} is not an accepted ContentType: {', '.join(known)}")
        if channel.get("TrainingInputMode", "File") == "Pipe":
            raise UserError(f"Channel {name}: pipe mode is not supported for csv and parquet; use file mode")


def has_data(root: Path, channel: str) -> bool:
    """Whether a channel has a file that is not empty."""
    return any(path.stat().st_size for path in files_of(root, channel))


def no_data(root: Path, channel: str) -> UserError:
    """The container's error for a channel without data."""
    word = "training" if channel == "train" else channel
    return UserError(f"No data in {word} channel path {root / 'input/data' / channel}")


def files_of(root: Path, channel: str) -> list[Path]:
    """The files of a channel, in the order of their paths."""
    files = sorted(path for path in (root / "input/data" / channel).rglob("*") if path.is_file())
    if any(path.name.startswith(".") for path in files):
        raise UserError("Hidden file found in the data path! Remove that before training.")
    return files


def load_channel(root: Path, channel: str, content_type: str, *, weights: bool) -> xgboost.DMatrix:
    """All files of a channel as one matrix: label first. Those of csv have no header, those of parquet have
    names without a meaning. The container reads all channels by the content type of `train`."""
    files = files_of(root, channel)
    matrix = read_parquet(files) if content_type in PARQUET_TYPES else read_csv(files, weights=weights)
    if matrix.get_label().size == 0:
        raise UserError("Got input data without labels. Please check the input data set.")
    return matrix


def read_csv(files: list[Path], *, weights: bool) -> xgboost.DMatrix:
    """A matrix of files without a header; with `weights`, the second column has those of the rows."""
    options = f"format=csv&label_column=0&delimiter={delimiter_of(files[0])}" + "&weight_column=1" * weights
    # xgboost takes a URI, in which the names of a user's folders could have a meaning. It also reads the
    # folder's siblings, and fails if one disappears meanwhile, so this folder has none.
    with tempfile.TemporaryDirectory() as alone:
        return xgboost.DMatrix(f"{_together(files, Path(alone) / 'files')}?{options}")


def read_parquet(files: list[Path]) -> xgboost.DMatrix:
    """A matrix of files with the columns of the first one."""
    import pyarrow.parquet  # other jobs do not wait for it

    # Threads would take longer to start than a small file to read.
    threads = sum(file.stat().st_size for file in files) > SMALL_BYTES
    with tempfile.TemporaryDirectory() if len(files) > 1 else nullcontext("") as alone:
        try:
            source = _together(files, Path(alone) / "files") if alone else files[0]
            table = pyarrow.parquet.read_table(source, use_threads=threads)
            rows = table.to_pandas().to_numpy()
            return xgboost.DMatrix(rows[:, 1:], label=rows[:, 0])
        except Exception as error:
            # Whatever is wrong with a user's data; the container has the same words.
            message = str(error).split("\nStack trace")[0].strip()
            raise UserError(f"Failed to load parquet data with exception:\n{message}") from error


def _together(files: list[Path], folder: Path) -> Path:
    """A folder with a link to each file, in their order."""
    folder.mkdir()
    for number, path in enumerate(files):
        (folder / f"{number:06}").symlink_to(path.resolve())
    return folder


def delimiter_of(path: Path) -> str:
    """The delimiter of a file, judged by its first line."""
    with path.open(errors="replace") as stream:
        line = stream.readline()
    try:
        return csv.Sniffer().sniff(line).delimiter
    except csv.Error as error:
        raise UserError(f"Could not determine delimiter on line {line[:50]}:\n{error}") from error

"""Fixtures of the tests of digits that need PyTorch, Pillow and pyarrow."""

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import settings
from PIL import Image

from digits.model import Network
from digits.pictures import Pixels
from digits.train import save
from tests.unit.processing.digits.pytorch.helpers import SAMPLE, Rows

# Examples are small; a slow one only says that the machine was busy.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
# One thread gives the same numbers on every machine.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def sample() -> Rows:
    """The first 1,000 rows of the sample file."""
    return read_sample(0, 1000)


@pytest.fixture(scope="session")
def later_sample() -> Rows:
    """The 300 rows that follow."""
    return read_sample(1000, 1300)


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `save` leaves of a network that has learned nothing; to be copied by whoever changes it."""
    folder = tmp_path_factory.mktemp("untrained")
    torch.manual_seed(0)
    save(Network(), folder)
    return folder


def read_sample(begin: int, end: int) -> Rows:
    table = next(pq.ParquetFile(SAMPLE).iter_batches(end)).slice(begin)
    images, labels = table.column("image").to_pylist(), table.column("label").to_pylist()
    return [(image["bytes"], label) for image, label in zip(images, labels, strict=True)]


@pytest.fixture(scope="session")
def sample_pixels(sample: Rows) -> Pixels:
    """The pixels of its rows, read without the code under test."""
    return np.stack([np.asarray(Image.open(io.BytesIO(content))) for content, _ in sample])

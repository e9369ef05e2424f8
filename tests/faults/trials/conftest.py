"""Faults that the jobs meet: here each run does every step itself."""

from collections.abc import Iterator

import pytest

from tests.faults.pipeline import Pipeline


@pytest.fixture(scope="package", autouse=True)
def _every_step(deployed: Pipeline) -> Iterator[None]:
    deployed.reuse = False
    yield
    deployed.reuse = True

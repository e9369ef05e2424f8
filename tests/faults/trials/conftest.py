"""Faults that the jobs meet: here each run does every step itself, and nothing else reads or keeps what the steps leave."""

from collections.abc import Iterator

import pytest

from local.cli.deploy import set_parameter
from tests.faults.pipeline import Pipeline


@pytest.fixture(scope="package", autouse=True)
def _every_step(deployed: Pipeline) -> Iterator[None]:
    set_parameter(deployed.endpoint, "Reuse", "false")
    yield
    set_parameter(deployed.endpoint, "Reuse", "true")

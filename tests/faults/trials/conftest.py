"""Faults that a search with several trials meets otherwise than one with a single trial."""

from collections.abc import Iterator

import pytest

from local.cli.deploy import set_parameter
from tests.e2e.up import TRIALS
from tests.faults.pipeline import Pipeline


@pytest.fixture(scope="package", autouse=True)
def _several_trials(deployed: Pipeline) -> Iterator[None]:
    set_parameter(deployed.endpoint, "MaxTrials", "3")
    yield
    set_parameter(deployed.endpoint, "MaxTrials", TRIALS)

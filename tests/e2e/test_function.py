"""Where EndpointType is function, an approved model answers from a Lambda, and a person sees and calls it as any other."""

from collections.abc import Iterator

import pytest

from local.cli.deploy import set_parameter
from tests.e2e.up import Up

ROW = "8,307,130,3504,12,70,1,chevrolet chevelle malibu"


@pytest.fixture(scope="module")
def with_function(up: Up) -> Iterator[Up]:
    set_parameter(up.endpoint, "EndpointType", "function")
    yield up
    set_parameter(up.endpoint, "EndpointType", "serverless")

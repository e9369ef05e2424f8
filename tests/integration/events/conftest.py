"""The built functions, in AWS's own runtime, against the embedded AWS: every event in `events/` has the right effect.

The functions are what `sam build` made, run by the Lambda Runtime Interface Emulator and the Python runtime client.
Linux only: elsewhere the emulator does not run and these tests are not collected.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.builds import shared_build
from tests.conftest import Aws
from tests.integration.events.lambda_runtime import Build, Runtime, interpreter, run
from tests.integration.events.resources import environment_of, make_resources
from tests.integration.events.stage import Asked, Stage, ask


@pytest.fixture(scope="package")
def built() -> Build:
    return Build(shared_build().template.parent)


@pytest.fixture(scope="package")
def stage(aws: Aws, built: Build, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    logs = tmp_path_factory.mktemp("logs")
    made = make_resources(aws)
    environment = {**aws.environment, **environment_of(made)}
    started: dict[str, Runtime] = {}
    with ExitStack() as stack:
        warm = stack.enter_context(interpreter(logs))

        def runtime(module: str) -> Runtime:
            if module not in started:
                log = logs / f"{module}.log"
                started[module] = stack.enter_context(run(built, module, environment, log, warm))
            return started[module]

        yield Stage(aws=aws, runtimes=runtime, **made)


@pytest.fixture
def asked(stage: Stage) -> Asked:
    return ask(stage)

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.sagemaker import SageMaker
from tests.unit.sagemaker.fakes import ACCOUNT, REGION, FakeAws, FakeWorkers

MakeSageMaker = Callable[..., SageMaker]


@pytest.fixture
def aws() -> FakeAws:
    return FakeAws()


@pytest.fixture
def workers() -> FakeWorkers:
    return FakeWorkers()


@pytest.fixture
def make_sagemaker(
    aws: FakeAws, workers: FakeWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeSageMaker]:
    """Makes a SageMaker whose AWS and processes are fakes."""
    monkeypatch.setattr("local.sagemaker.service.Clients", lambda *_: aws)
    monkeypatch.setattr("local.sagemaker.service.WarmWorkers", lambda: workers)
    made: list[SageMaker] = []

    def make(**quotas: int) -> SageMaker:
        sagemaker = SageMaker(
            account_id=ACCOUNT,
            region=REGION,
            endpoint_url="http://127.0.0.1:1",
            folder=tmp_path / "jobs",
            credentials=lambda role: {},
            publish=lambda entries: aws.events.publish(entries),
            publish_metrics=lambda namespace, data: aws.metrics.publish(namespace, data),
            quotas=quotas,
        )
        made.append(sagemaker)
        return sagemaker

    yield make
    for sagemaker in made:
        sagemaker.close()


@pytest.fixture
def sagemaker(make_sagemaker: MakeSageMaker) -> SageMaker:
    return make_sagemaker()

"""What is watched of cars is what callers send and get."""

from pathlib import Path

import numpy as np
import pytest

from auto_mpg import monitoring
from auto_mpg.columns import to_cars
from auto_mpg.evaluate import measure
from auto_mpg.labelled import labelled_requests
from common.cluster import Local
from common.evaluation import Values
from common.serving import BadRequest
from common.workload import find_workload
from tests.unit.processing.auto_mpg.by_rows import read_cars

REQUEST = '8,307,130,3504,12,70,1,"chevrolet, old"\n4,97,?,2130,14.5,1971,japan,datsun\n'


def test_the_features_are_the_values_of_a_request_by_name() -> None:
    found = monitoring.features(REQUEST, None)
    numbers = {name: np.asarray(column).tolist() for name, column in found.items() if name != "origin"}
    assert numbers == {
        "cylinders": [8, 4],
        "displacement": [307, 97],
        "horsepower": [130, pytest.approx(np.nan, nan_ok=True)],
        "weight": [3504, 2130],
        "acceleration": [12, 14.5],
        "model_year": [70, 71],
    }
    assert found["origin"] == ["usa", "japan"]


def test_a_prediction_is_a_number() -> None:
    assert np.asarray(monitoring.predictions("17.5\n30.25\n")["prediction"]).tolist() == [17.5, 30.25]


def test_a_request_that_is_none_is_refused() -> None:
    with pytest.raises(BadRequest):
        monitoring.features("a car\n", None)


def test_the_key_is_the_hash_by_which_rows_are_split(prepared: Path) -> None:
    [(_, request)] = labelled_requests(prepared / "test" / "test.csv")
    with (prepared / "test" / "test.csv").open("rb") as stream:
        expected = to_cars(read_cars(stream, "")).hashes()
    assert monitoring.keys(request).tolist() == expected.tolist()


def test_the_errors_of_the_test_rows_are_those_of_the_gate(bundle: Path, prepared: Path) -> None:
    [(labels, request)] = labelled_requests(prepared / "test" / "test.csv")
    answer = find_workload("auto_mpg").answerer(bundle)(request)
    expected: Values | None = measure(bundle, prepared, Local(workers=1)).gate_values
    assert expected is not None
    assert monitoring.errors(answer, labels).tolist() == expected[:].tolist()


def test_the_sample_of_a_small_upload_is_all_of_its_labelled_rows(prepared: Path) -> None:
    [(request, labels)] = monitoring.sample(prepared)
    assert len(request.splitlines()) == len(labels) == 398
    assert float(labels[0]) > 0
    assert np.array_equal(np.sort(monitoring.keys(request)), monitoring.keys(request))

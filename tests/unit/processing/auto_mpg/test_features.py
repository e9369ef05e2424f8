"""Serving makes the same numbers as the fitted transformer, to the last bit, without scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_mpg.car import CONTENT, Car
from auto_mpg.features import FEATURES, NUMBERS, from_json, to_json
from auto_mpg.fitting import fit, learned
from auto_mpg.table import to_table

NUMBER = st.floats(1e-5, 999_999)
CARS = st.lists(
    st.builds(
        Car,
        mpg=NUMBER,
        cylinders=st.integers(1, 999_999),
        displacement=NUMBER | st.just(98.0),
        horsepower=NUMBER | st.none(),
        weight=NUMBER,
        acceleration=st.just(12.0),
        model_year=st.integers(0, 199),
        origin=st.integers(1, 3),
        car_name=st.just(""),
    ),
    min_size=1,
    max_size=20,
)
KNOWN = Car(18.0, 8, 307.0, 130.0, 3504.0, 12.0, 70, 1, "")


@given(CARS, CARS)
def test_serving_computes_the_same_bits_as_training(training: list[Car], others: list[Car]) -> None:
    transformer = fit(to_table([KNOWN, *training]))
    served = from_json(to_json(learned(transformer)))
    for cars in (training, others):
        table = to_table(cars)
        content = table[list(CONTENT)].to_numpy(np.float64)
        assert served.features(content).tolist() == transformer.transform(table).tolist()


@given(CARS)
def test_features_of_any_cars_are_small_numbers(training: list[Car]) -> None:
    table = to_table([KNOWN, *training])
    features = np.asarray(fit(table).transform(table))
    assert features.shape == (len(table), len(FEATURES))
    assert np.isfinite(features.astype(np.float32)).all()
    assert (np.abs(features) < 1e3).all()


def test_a_car_has_the_same_features_alone_and_among_others() -> None:
    cars = [KNOWN, Car(24.0, 4, 98.0, None, 2046.0, 19.0, 71, 3, "")]
    served = learned(fit(to_table(cars)))
    content = to_table(cars)[list(CONTENT)].to_numpy(np.float64)
    alone = [served.features(content[row : row + 1])[0].tolist() for row in range(2)]
    assert served.features(content).tolist() == alone


def test_missing_horsepower_becomes_the_median_of_the_cars_that_have_it() -> None:
    cars = [Car(18, 8, 307, power, 3504, 12, 70, 1, "") for power in (50.0, 60.0, 100.0, None)]
    found = learned(fit(to_table(cars)))
    assert found.missing_horsepower == 60
    assert found.means[NUMBERS.index("horsepower")] == pytest.approx((50 + 60 + 100 + 60) / 4)


@pytest.mark.parametrize("differ", [0.0, 1e-9])
def test_a_column_that_hardly_varies_is_not_divided_by_almost_nothing(differ: float) -> None:
    cars = [Car(18, 8, 307, 130, 3504, 12 + differ * origin, 70, origin, "") for origin in (1, 2)]
    transformer = fit(to_table(cars))
    assert learned(transformer).scales == (1.0,) * len(NUMBERS)
    features = np.asarray(transformer.transform(to_table(cars)))
    assert np.allclose(features, [[0] * 6 + [1, 0, 0], [0] * 6 + [0, 1, 0]], rtol=0, atol=1e-8)

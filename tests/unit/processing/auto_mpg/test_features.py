"""What is learned without scikit-learn is what it would learn, and serving repeats it to the last bit."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from auto_mpg.car import ORIGINS, Car
from auto_mpg.columns import to_cars
from auto_mpg.features import FEATURES, NUMBERS, Preprocessor, from_json, to_json
from auto_mpg.fitting import Fit
from tests.unit.processing.auto_mpg.by_rows import read_cars

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


def learned(cars: list[Car]) -> Preprocessor:
    fit = Fit()
    fit.add(to_cars(cars))
    return fit.preprocessor()


def features(preprocessor: Preprocessor, cars: list[Car]) -> NDArray[np.float64]:
    return preprocessor.features(to_cars(cars).content.T)


def by_scikit_learn(training: list[Car], cars: list[Car]) -> NDArray[np.float64]:
    """The same features by another implementation."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    origin = OneHotEncoder(categories=[list(ORIGINS.values())], sparse_output=False)
    transformer = ColumnTransformer([("numbers", numbers, slice(6)), ("origin", origin, [6])])
    transformer.fit(to_cars(training).content.T)
    return np.asarray(transformer.transform(to_cars(cars).content.T))


def test_the_features_are_those_of_scikit_learn(sample: bytes) -> None:
    cars = read_cars(io.BytesIO(sample), "cars.csv")
    expected = by_scikit_learn(cars[:300], cars)
    np.testing.assert_allclose(features(learned(cars[:300]), cars), expected, rtol=1e-12, atol=1e-12)


@given(CARS, CARS)
def test_the_features_of_any_cars_are_those_of_scikit_learn(training: list[Car], others: list[Car]) -> None:
    cars = [KNOWN, *training]
    varied = np.nanstd(to_cars(cars).content[:6], axis=1) > 1e-3
    found, expected = features(learned(cars), others), by_scikit_learn(cars, others)
    chosen = [*np.flatnonzero(varied), 6, 7, 8]
    np.testing.assert_allclose(found[:, chosen], expected[:, chosen], rtol=1e-6, atol=1e-6)


@given(CARS, st.integers(0, 20))
def test_cars_are_learned_from_in_any_grouping(training: list[Car], cut: int) -> None:
    cars = [KNOWN, *training]
    first, second = Fit(), Fit()
    first.add(to_cars(cars[cut:]))
    second.add(to_cars(cars[:cut]))
    first.merge(second)
    assert first.preprocessor() == learned(cars)


@given(CARS)
def test_serving_reads_every_bit_of_what_was_learned(training: list[Car]) -> None:
    preprocessor = learned([KNOWN, *training])
    assert from_json(to_json(preprocessor)) == preprocessor


@given(CARS)
def test_features_of_any_cars_are_small_numbers(training: list[Car]) -> None:
    cars = [KNOWN, *training]
    found = features(learned(cars), cars)
    assert found.shape == (len(cars), len(FEATURES))
    assert np.isfinite(found.astype(np.float32)).all()
    assert (np.abs(found) < 1e3).all()


def test_a_car_has_the_same_features_alone_and_among_others() -> None:
    cars = [KNOWN, Car(24.0, 4, 98.0, None, 2046.0, 19.0, 71, 3, "")]
    served = learned(cars)
    alone = [features(served, [car])[0].tolist() for car in cars]
    assert features(served, cars).tolist() == alone
    # A server has the cars in rows, the preprocessing job in columns.
    rows = np.ascontiguousarray(to_cars(cars).content.T)
    assert served.features(rows).tolist() == alone


def test_missing_horsepower_becomes_the_median_of_the_cars_that_have_it() -> None:
    found = learned([Car(18, 8, 307, power, 3504, 12, 70, 1, "") for power in (50.0, 60.0, 100.0, None)])
    assert found.missing_horsepower == 60
    assert found.means[NUMBERS.index("horsepower")] == pytest.approx((50 + 60 + 100 + 60) / 4)


@pytest.mark.parametrize("differ", [0.0, 1e-9])
def test_a_column_that_hardly_varies_is_not_divided_by_almost_nothing(differ: float) -> None:
    cars = [Car(18, 8, 307, 130, 3504, 12 + differ * origin, 70, origin, "") for origin in (1, 2)]
    assert learned(cars).scales == (1.0,) * len(NUMBERS)
    expected = [[0] * 6 + [1, 0, 0], [0] * 6 + [0, 1, 0]]
    assert np.allclose(features(learned(cars), cars), expected, rtol=0, atol=1e-8)

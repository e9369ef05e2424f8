"""Learns from the training rows how to turn cars into features. Unlike serving, it needs scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from auto_mpg.car import ORIGINS
from auto_mpg.features import NUMBERS, Preprocessor

# Dividing by almost nothing would overflow a float32.
_SMALLEST_SCALE = 1e-6


def fit(cars: pd.DataFrame) -> ColumnTransformer:
    """A transformer from cars to FEATURES. At least one car needs a horsepower."""
    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("standardise", StandardScaler())])
    origin = OneHotEncoder(categories=[list(ORIGINS.values())], sparse_output=False)
    transformer = ColumnTransformer([("numbers", numbers, list(NUMBERS)), ("origin", origin, ["origin"])])
    transformer.fit(cars)
    scaler = _numbers(transformer)["standardise"]
    # A nearly constant column is not scaled.
    scaler.scale_ = np.where(scaler.scale_ > _SMALLEST_SCALE, scaler.scale_, 1.0)
    return transformer


def learned(transformer: ColumnTransformer) -> Preprocessor:
    """The parameters of a fitted transformer that serving needs."""
    imputer, scaler = _numbers(transformer)["impute"], _numbers(transformer)["standardise"]
    missing_horsepower = imputer.statistics_[NUMBERS.index("horsepower")]
    return Preprocessor(
        float(missing_horsepower), tuple(scaler.mean_.tolist()), tuple(scaler.scale_.tolist())
    )


def _numbers(transformer: ColumnTransformer) -> Pipeline:
    return transformer.named_transformers_["numbers"]

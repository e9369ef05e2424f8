"""An evaluation of a model that is compared with an approved one, as the job writes it."""

from typing import Any

EVALUATION: dict[str, Any] = {
    "workload": "auto_mpg",
    "title": "Fuel economy of cars",
    "metrics": [
        {"name": "mse", "label": "Mean squared error", "value": 8.7312, "unit": "", "better": "lower"},
        {
            "name": "rmse",
            "label": "Root mean squared error",
            "value": 2.9549,
            "unit": "miles per gallon",
            "better": "lower",
        },
        {
            "name": "residual_standard_deviation",
            "label": "Standard deviation of the errors",
            "value": 2.9107,
            "unit": "miles per gallon",
            "better": "lower",
        },
        {"name": "r2", "label": "R squared", "value": 0.8564, "unit": "", "better": "higher"},
    ],
    "gate": {"metric": "mse", "at_most": 46.0, "passed": True},
    "baseline": {"label": "predicting the mean", "value": 60.8127},
    "champion": {
        "model_package_arn": "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline-auto-mpg/1",
        "value": 9.1045,
        "comparison": {
            "difference": -0.3733,
            "low": -1.2021,
            "high": 0.4117,
            "level": 0.95,
            "rows": 60,
            "resamples": 2000,
        },
    },
    "champion_problem": "",
    "rows": {
        "uploaded": 398,
        "labelled": 398,
        "unlabelled": 0,
        "train": 278,
        "validation": 60,
        "test": 60,
        "batch": 60,
    },
    "warnings": [],
    "batch_columns": [
        "cylinders",
        "displacement",
        "horsepower",
        "weight",
        "acceleration",
        "model year",
        "origin",
        "car name",
        "predicted mpg",
    ],
    "digests": {
        "upload": "sha256:ff4085ad157354dc8ea67a848e7c2270b4a19282713cf3a7ecf8e0ffbb159ed1",
        "trained_model": "sha256:3390e342f14dd98cb0b967b0e5de29c65530312052b63b52cdb008b33d647bdf",
        "model": "sha256:9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4",
        "model_files": "sha256:3172c8ea5059f22ee8bef5086958803c5430b42bc374c30eed58a1366a74de27",
    },
    "onnx": None,
}
# What is drawn, the smoke test and SageMaker's layout: all in evaluation.json alone.
DRAWN: dict[str, Any] = {
    "figures": [
        {
            "kind": "scatter",
            "title": "Predicted and actual mpg of the test cars",
            "caption": "On the dashed line a prediction is right.",
            "x_label": "actual mpg",
            "y_label": "predicted mpg",
            "line": "diagonal",
            "points": [[18.0, 17.2], [31.0, 29.5], [24.5, 25.1]],
        },
        {
            "kind": "scatter",
            "title": "Errors of the test predictions",
            "caption": "Errors should scatter evenly around zero.",
            "x_label": "predicted mpg",
            "y_label": "actual - predicted",
            "line": "zero",
            "points": [[17.2, 0.8], [29.5, 1.5], [25.1, -0.6]],
        },
    ],
    "smoke_test": {
        "content_type": "text/csv",
        "accept": "text/csv",
        "rows": 2,
        "request": "8,307.0,130.0,3504,12.0,70,1\n4,97.0,88.0,2130,14.5,71,3\n",
        "answer": "17.2\n29.5\n",
        "tolerance": 1e-6,
    },
    "regression_metrics": {"mse": {"value": 8.7312, "standard_deviation": 2.9107}, "rmse": {"value": 2.9549}},
}
# What the version before wrote, as it lies in records and executions.
FORMER: dict[str, Any] = {
    "regression_metrics": {"mse": {"value": 8.7312, "standard_deviation": 2.9107}, "rmse": {"value": 2.9549}},
    "baseline": {"mse": 60.8127},
    "champion": {
        "model_package_arn": "arn:aws:sagemaker:us-east-1:000000000000:model-package/m/1",
        "mse": 9.1,
    },
    "rows": {"uploaded": 398, "labelled": 398, "unlabelled": 0, "train": 278, "validation": 60, "test": 60},
    "digests": {"model": "sha256:9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"},
}

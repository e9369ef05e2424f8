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
# An upload of newer and heavier cars beside the approved model's data, and that model's error on them.
DRIFT: dict[str, Any] = {
    "model_package_arn": "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline-auto-mpg/1",
    "baseline_rows": 398,
    "rows": 184,
    "significance": 0.001,
    "tests": [
        {"name": "acceleration", "test": "kolmogorov_smirnov", "statistic": 0.0812, "threshold": 0.1904,
         "drifted": False, "histogram": {"edges": [8, 12.2, 16.4, 20.6, 24.8], "labels": [],
                                         "baseline": [0.12, 0.47, 0.34, 0.07], "current": [0.1, 0.45, 0.38, 0.07]}},
        {"name": "acceleration", "test": "missing", "statistic": 0, "threshold": 0.1, "drifted": False,
         "histogram": None},
        {"name": "weight", "test": "kolmogorov_smirnov", "statistic": 0.4127, "threshold": 0.1904,
         "drifted": True, "histogram": {"edges": [1613, 2494.8, 3376.5, 4258.3, 5140], "labels": [],
                                        "baseline": [0.37, 0.33, 0.2, 0.1], "current": [0.1, 0.3, 0.4, 0.2]}},
        {"name": "weight", "test": "wasserstein", "statistic": 0.7713, "threshold": 0.3115, "drifted": True,
         "histogram": None},
        {"name": "weight", "test": "missing", "statistic": 0, "threshold": 0.1, "drifted": False,
         "histogram": None},
        {"name": "origin", "test": "jensen_shannon", "statistic": 0.2961, "threshold": 0.1648, "drifted": True,
         "histogram": {"edges": [], "labels": ["usa", "europe", "japan"],
                       "baseline": [0.62, 0.18, 0.2], "current": [0.31, 0.22, 0.47]}},
        {"name": "origin", "test": "missing", "statistic": 0, "threshold": 0.1, "drifted": False,
         "histogram": None},
    ],
    "problem": "",
    "left_out": 0,
    "drifted": True,
}  # fmt: skip
CHANGE: dict[str, Any] = {
    "metric": "mse",
    "label": "Mean squared error",
    "better": "lower",
    "at_approval": 9.5,
    "now": 21.3,
    "low": 7.1,
    "high": 16.5,
    "level": 0.95,
    "rows": 184,
    "degraded": True,
}
DRIFTED: dict[str, Any] = {
    **EVALUATION,
    "champion": {**EVALUATION["champion"], "change": CHANGE},
    "drift": DRIFT,
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

"""An evaluation of a model that is compared with an approved one, as the job writes it."""

from typing import Any

EVALUATION: dict[str, Any] = {
    "regression_metrics": {
        "mse": {"value": 8.7312, "standard_deviation": 2.9107},
        "rmse": {"value": 2.9549},
        "mae": {"value": 2.1034},
        "r2": {"value": 0.8564},
    },
    "baseline": {"mse": 60.8127},
    "champion": {
        "model_package_arn": "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline/1",
        "mse": 9.1045,
    },
    "rows": {
        "uploaded": 398,
        "labelled": 398,
        "unlabelled": 0,
        "train": 278,
        "validation": 60,
        "test": 60,
        "batch": 60,
    },
    "digests": {
        "upload": "sha256:ff4085ad157354dc8ea67a848e7c2270b4a19282713cf3a7ecf8e0ffbb159ed1",
        "trained_model": "sha256:3390e342f14dd98cb0b967b0e5de29c65530312052b63b52cdb008b33d647bdf",
        "model": "sha256:9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4",
        "model_files": "sha256:3172c8ea5059f22ee8bef5086958803c5430b42bc374c30eed58a1366a74de27",
    },
}

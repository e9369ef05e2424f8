"""What is found as CloudWatch metrics, with the names and places that SageMaker Model Monitor uses.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-cloudwatch.html
"""

import os

from common.drift import JENSEN_SHANNON, KOLMOGOROV_SMIRNOV
from common.monitored import Monitored
from shared.telemetry import count, measure_apart, measure_in

_DATA = "/aws/sagemaker/ModelMonitoring/data-metrics"
_QUALITY = "/aws/sagemaker/ModelMonitoring/model-metrics"
# Both are distances from 0 to 1. A feature has one of the two tests.
_DISTANCES = (KOLMOGOROV_SMIRNOV, JENSEN_SHANNON)


def measure_findings(found: Monitored) -> None:
    """Emit what was found. The pipeline's own metrics are for its alarms."""
    for kind, rows in found.rows.items():
        measure_apart("RowsMonitored", rows, Workload=found.workload, Kind=kind)
    schedule = f"{os.environ['POWERTOOLS_SERVICE_NAME']}-{found.workload.replace('_', '-')}"
    tests = found.drift.tests if found.drift else ()
    distances = {
        f"feature_baseline_drift_{test.name}": test.statistic for test in tests if test.test in _DISTANCES
    }
    measure_in(_DATA, distances, MonitoringSchedule=schedule)
    if found.quality:
        measure_in(_QUALITY, {found.quality.metric: found.quality.now}, MonitoringSchedule=schedule)
    if found.drifted:
        count("DriftFound")
    if found.degraded:
        count("DegradationFound")

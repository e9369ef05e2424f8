"""An alarm looks at the metric with exactly its dimensions. The emulator's looks at all of that name."""

from types import FunctionType
from typing import Any


def install_alarm_dimensions() -> None:
    """Evaluate each alarm with its own metric alone."""
    from ministack.services import cloudwatch

    original = cloudwatch._evaluate_alarm

    def evaluate_alarm(alarm: dict[str, Any]) -> None:
        wanted = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
        own = {key: points for key, points in cloudwatch._metrics.items() if key[2] == wanted}
        # The same code, which finds no other metrics.
        FunctionType(original.__code__, {**vars(cloudwatch), "_metrics": own})(alarm)

    cloudwatch._evaluate_alarm = evaluate_alarm

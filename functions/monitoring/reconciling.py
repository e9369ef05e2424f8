"""The sweep over executions of monitoring: mails the failures whose event was lost."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from monitoring.ending import announce_end
from runs.endings import identity
from runs.executions import ENDED_BADLY, Execution, describe_end
from shared.chores import Chores


def announce_monitoring(
    chores: Chores, executions: Iterable[Execution], moment: datetime, news: timedelta
) -> None:
    """Mail which executions failed, once, while it is still `news`."""
    chores.do_undone(
        "monitoring end",
        {
            identity(execution.arn, execution.status, execution.redrives): partial(_announce, execution)
            for execution in executions
            if execution.stopped and execution.stopped >= moment - news and execution.status in ENDED_BADLY
        },
    )


def _announce(execution: Execution) -> bool:
    ended = describe_end({"executionArn": execution.arn, "redriveCount": execution.redrives})
    return ended is not None and announce_end(ended)

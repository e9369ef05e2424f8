"""The sweep over releases: mails the ends whose event was lost, starts the releases that no event started."""

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from common.workload import find_workloads
from model.approved import approved_in
from model.live import find_release
from release.announcing import announce
from release.ending import read_end
from release.recovering import start_release
from runs.executions import ENDED, Execution, describe_end
from shared.aws import client
from shared.chores import Chores
from shared.telemetry import count


def announce_releases(
    chores: Chores, executions: Iterable[Execution], moment: datetime, news: timedelta
) -> None:
    """Mail how releases ended, once, while it is still `news`."""
    chores.do_undone(
        "release end",
        {
            f"{execution.arn}#{execution.status}#{execution.redrives}": partial(_announce, execution)
            for execution in executions
            if execution.stopped and execution.stopped >= moment - news and execution.status in ENDED
        },
    )


def start_missed_releases(chores: Chores, moment: datetime, news: timedelta) -> None:
    """Start the release of each workload's newest approved model, if it was approved lately and has none."""
    for workload in find_workloads():
        group = f"{os.environ['MODEL_PACKAGE_GROUP_PREFIX']}-{workload.replace('_', '-')}"
        chores.do("release", partial(_start_missed, group, moment - news), group)


def _announce(execution: Execution) -> bool:
    ended = describe_end({"executionArn": execution.arn, "redriveCount": execution.redrives})
    if ended is None:
        return False
    announce(read_end(ended))
    return True


def _start_missed(group: str, since: datetime) -> bool:
    newest = next(approved_in(group), None)
    if newest is None or find_release(arn := str(newest["ModelPackageArn"])):
        return False
    package = client("sagemaker").describe_model_package(ModelPackageName=arn)
    approved_at = package.get("LastModifiedTime") or package["CreationTime"]
    if approved_at < since or not start_release(arn, "sweep", f"{arn}{approved_at}"):
        return False
    count("ReleaseMissed")
    return True

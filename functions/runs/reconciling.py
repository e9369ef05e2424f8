"""The sweep over executions: mails the ends whose event was lost, and stops orphaned jobs."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from runs.endings import identity
from runs.executions import ENDED, Execution, describe_end
from runs.notifying import announce, read_ending
from runs.orphans import Job, jobs_in_progress, stop, stop_jobs_of, superseded
from shared.chores import Chores


def announce_ends(chores: Chores, executions: Iterable[Execution], moment: datetime, news: timedelta) -> None:
    """Mail how executions ended, once, while it is still `news`."""
    chores.do_undone(
        "end",
        {
            identity(execution.arn, execution.status, execution.redrives): partial(_announce, execution)
            for execution in executions
            if execution.stopped and execution.stopped >= moment - news and execution.status in ENDED
        },
    )


def stop_orphans(chores: Chores, executions: Iterable[Execution]) -> None:
    """Stop the jobs of executions that ended, and of attempts that a later one has replaced."""
    jobs = jobs_in_progress()
    for execution in executions:
        its_jobs = [job for job in jobs if job.attempt.run_id == execution.run_id]
        chores.do("job", partial(_stop, execution, its_jobs), execution.arn)


def _announce(execution: Execution) -> bool:
    ended = describe_end({"executionArn": execution.arn, "redriveCount": execution.redrives})
    return ended is not None and announce(read_ending(ended))


def _stop(execution: Execution, jobs: list[Job]) -> int:
    if execution.status in ENDED:
        return len(stop_jobs_of(execution.arn, jobs))
    return sum(stop(job) for job in superseded(jobs))

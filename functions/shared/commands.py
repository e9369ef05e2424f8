"""The commands of `mpg` that mails name."""

import os


def report_command(run_id: str) -> str:
    """The command that writes a run's report at any time."""
    where = "" if "AWS_ENDPOINT_URL" in os.environ else " --config-env default"
    return f"mpg report {run_id}{where}"

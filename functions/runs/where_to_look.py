"""The last paragraph of a mail about a run: where the details are."""

import os

from runs.endings import Ending

_CONSOLES = {"aws-us-gov": "console.amazonaws-us-gov.com"}


def where_to_look(ending: Ending) -> str:
    """The execution, in the console where there is one, and the log of the job that failed."""
    lines = ["Where to look:", *_console_link(ending.execution_arn), ending.execution_arn]
    if ending.job:
        lines.append(f"CloudWatch Logs {ending.job.log_group}, streams {ending.job.name}...")
    return "\n".join(lines)


def _console_link(execution_arn: str) -> list[str]:
    if "AWS_ENDPOINT_URL" in os.environ:
        return []  # not AWS: its console knows nothing of this execution
    partition, region = execution_arn.split(":")[1], execution_arn.split(":")[3]
    console = _CONSOLES.get(partition, "console.aws.amazon.com")
    return [f"https://{region}.{console}/states/home?region={region}#/v2/executions/details/{execution_arn}"]

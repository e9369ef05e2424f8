"""What AWS's toolkits for training scripts differ in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Toolkit:
    """``packages``: every script is installed with pip and run as a module, so its name cannot have a folder.
    ``captures``: the script is started by a shell, and the error that it prints goes into the message."""

    packages: bool = False
    captures: bool = False


TOOLKITS = {
    "sagemaker_containers": Toolkit(packages=True),
    "sagemaker_training": Toolkit(),
    "sagemaker_pytorch_training": Toolkit(captures=True),
}


class UserError(Exception):
    """The script, or what it needs, went wrong; the message is the toolkit's, for the person who sent it."""


def called_process_error(toolkit: Toolkit, kind: str, command: str, code: int, output: str = "") -> UserError:
    """The toolkit's text about a command that failed."""
    if toolkit.packages:
        return UserError(f'{kind}:\nCommand "{command}"')
    lines = [f"{kind}:", f"ExitCode {code}", f'ErrorMessage "{output}"']
    if code == 137:
        lines.append('ExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"')
    return UserError("\n".join([*lines, f'Command "{command}"']))

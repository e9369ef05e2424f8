"""The differences between AWS's toolkits for training scripts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Toolkit:
    """``packages``: pip installs every script, which runs as a module, so its name cannot include a folder.
    ``captures``: a shell starts the script, and the message has the error that the script prints."""

    packages: bool = False
    captures: bool = False


TOOLKITS = {
    "sagemaker_containers": Toolkit(packages=True),
    "sagemaker_training": Toolkit(),
    "sagemaker_pytorch_training": Toolkit(captures=True),
}


class UserError(Exception):
    """The script or its installation failed; the message is the toolkit's, for the script's author."""


def called_process_error(toolkit: Toolkit, kind: str, command: str, code: int, output: str = "") -> UserError:
    """The toolkit's text for a failed command."""
    if toolkit.packages:
        return UserError(f'{kind}:\nCommand "{command}"')
    lines = [f"{kind}:", f"ExitCode {code}", f'ErrorMessage "{output}"']
    if code == 137:
        lines.append('ExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"')
    return UserError("\n".join([*lines, f'Command "{command}"']))

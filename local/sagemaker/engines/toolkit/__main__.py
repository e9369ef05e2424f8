from __future__ import annotations

import os
import sys
from pathlib import Path

from local.sagemaker.engines.toolkit import code, script
from local.sagemaker.engines.toolkit.settings import read_settings, to_arguments, to_variables
from local.sagemaker.engines.toolkit.toolkits import TOOLKITS, Toolkit, UserError, called_process_error


def main(toolkit: Toolkit, root: Path, archive: str, *, isolated: bool) -> int:
    """Run the script of the job whose /opt/ml is ``root``; returns the exit code."""
    try:
        train(toolkit, root, archive, isolated=isolated)
    except UserError as error:
        return fail(root, str(error), 1)
    except OSError as error:
        return fail(root, f"Framework Error: \n{error}", error.errno or 1)
    (root / "output/success").touch()
    return 0


def train(toolkit: Toolkit, root: Path, archive: str, *, isolated: bool) -> None:
    settings = read_settings(root)
    folder = code.fetch(settings, archive)
    code.refuse_outside(folder, settings.program)
    installed = code.install(toolkit, folder, settings.program, isolated=isolated)
    path = [str(folder), *installed, os.environ.get("PYTHONPATH", "")]
    variables = to_variables(settings) | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    command = script.command_of(toolkit, folder, settings.program, to_arguments(settings.hyperparameters))
    shown = " ".join(command)
    print(f"Invoking script with the following command:\n\n{shown}\n", flush=True)
    exit_code, error = script.run(toolkit, command, folder, variables)
    if exit_code:
        raise called_process_error(toolkit, "ExecuteUserScriptError", shown, exit_code, error)


def fail(root: Path, message: str, exit_code: int) -> int:
    """Write the failure, unless the script wrote one itself."""
    print(f"Reporting training FAILURE\n{message}", file=sys.stderr)
    failure = root / "output/failure"
    if not failure.exists():
        failure.write_text(message)
    return exit_code


if __name__ == "__main__":
    # The working folder, which must not provide modules to a script.
    sys.path.remove(str(Path.cwd()))
    name, ml, submitted, network = sys.argv[1:]
    sys.exit(main(TOOLKITS[name], Path(ml), submitted, isolated=network == "isolated"))

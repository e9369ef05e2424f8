"""The command `mpg`. Here is only what `--help` needs; each command imports the rest when it runs."""

import sys
from pathlib import Path
from typing import Any

import click

from deploy.commands import COMMANDS
from local.cli.interrupts import Interrupted, Interrupts
from local.cli.project import SAMPLE

EXIT_CODES = """\
Exit code 0: the pipeline did what it should with the file (approved, rejected, pending, expired,
already processed). 1: the file was refused, or the model is worse than the threshold. 2: the pipeline itself
failed, or the command line is wrong (no such file, say). 128 + signal: interrupted."""


class CsvFile(click.Path):
    """A readable file with a name that starts the pipeline."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, readable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(str(super().convert(value, param, ctx)))
        if path.suffix != ".csv":
            self.fail(
                f"{path.name!r} does not end in .csv, and only such uploads start the pipeline.", param, ctx
            )
        return path


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mpg-mlops-pipeline", prog_name="mpg")
def cli() -> None:
    """An MLOps pipeline on AWS, whole on this machine: no account, no Docker."""


@cli.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of the embedded AWS.  [default: 4566, or a free one]"
)
def up(port: int | None) -> None:
    """Start the embedded AWS, deploy the pipeline to it and stay until Ctrl-C."""
    from local.cli.up import stay

    with Interrupts() as interrupts:
        sys.exit(stay(interrupts, port))


@cli.command()
def down() -> None:
    """Stop the `mpg up` that runs for this checkout, from anywhere."""
    from local.cli.down import stop

    sys.exit(stop())


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, with the whole comments.")
def approvals(as_json: bool) -> None:
    """List the requests for approval of the running `mpg up`: who decided what, when, why, from where."""
    from local.cli.approvals import show

    sys.exit(show(as_json=as_json))


@cli.command(epilog=EXIT_CODES)
@click.argument("csv", type=CsvFile(), default=SAMPLE)
@click.option(
    "--decision",
    type=click.Choice(["approve", "reject", "none"]),
    default="approve",
    show_default=True,
    help="What to answer to the approval mail; none leaves the question open.",
)
@click.option(
    "--threshold", type=click.FloatRange(min=0), help="MseThreshold for this run.  [default: as deployed]"
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object as the last line, the rest to stderr."
)
def run(csv: Path, decision: str, threshold: float | None, as_json: bool) -> None:
    """Send a CSV of cars (default: the sample) through the pipeline and follow it.

    Uses the `mpg up` of this checkout, or starts an embedded AWS of its own for the duration.
    """
    from local.cli.run import run_file

    with Interrupts() as interrupts:
        sys.exit(run_file(interrupts, csv, decision, threshold, as_json=as_json))


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """The console script."""
    try:
        cli()
    except Interrupted as interrupted:
        sys.exit(interrupted.exit_code)


if __name__ == "__main__":
    main()

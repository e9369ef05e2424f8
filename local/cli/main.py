"""The command `mpg`. This module has only what `--help` needs; each command imports the rest when it runs."""

import atexit
import gc
import sys
from pathlib import Path

import click

from deploy.commands import COMMANDS
from local.cli.interrupts import Interrupted, Interrupts
from local.cli.project import SAMPLE

EXIT_CODES = """\
Exit code 0: the pipeline handled the file as it should (approved, rejected, pending, expired,
already processed). 1: the file or the retraining was refused, or the model is worse than the threshold. 2:
the pipeline itself or the release failed, or the command line is wrong (for example, no such file). 128 +
signal: interrupted."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mpg-mlops-pipeline", prog_name="mpg")
def cli() -> None:
    """An MLOps pipeline on AWS, whole on this machine: no account, no Docker."""


@cli.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of the embedded AWS.  [default: 4566, or a free one]"
)
def up(port: int | None) -> None:
    """Start the embedded AWS, deploy the pipeline to it and keep running until Ctrl-C."""
    from local.cli.up import stay

    with Interrupts() as interrupts:
        sys.exit(stay(interrupts, port))


@cli.command()
def down() -> None:
    """Stop the `mpg up` of this checkout, from any terminal."""
    from local.cli.down import stop

    sys.exit(stop())


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, with comments in full.")
def approvals(as_json: bool) -> None:
    """List the requests for approval of the running `mpg up`: who decided what, when, why, from where."""
    from local.cli.approvals import show

    sys.exit(show(as_json=as_json))


@cli.command()
@click.option("--workload", metavar="NAME", help="Only the models of this workload.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def models(workload: str | None, as_json: bool) -> None:
    """List the approved models of the running `mpg up`, newest first."""
    from local.cli.catalogue import show_models

    sys.exit(show_models(workload, as_json=as_json))


@cli.command()
@click.argument("version", type=click.IntRange(min=1))
@click.option("--workload", metavar="NAME", help="The model's workload.  [default: the stack's]")
@click.option(
    "--format",
    "of",
    type=click.Choice(["native", "onnx"]),
    default="native",
    show_default=True,
    help="The bundle that SageMaker serves, or one file for ONNX Runtime.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="File or folder to write to.  [default: the model's own name, here]",
)
def download(version: int, workload: str | None, of: str, to: Path | None) -> None:
    """Download an approved model and verify its digest."""
    from local.cli.catalogue import download as fetch

    sys.exit(fetch(version, workload, of, to))


@cli.command()
@click.option(
    "--days", type=click.IntRange(1, 365), help="Days that the link is valid.  [default: as deployed]"
)
@click.option("--revoke", metavar="LINK|all", help="Close this link, or all, instead of issuing one.")
def catalogue(days: int | None, revoke: str | None) -> None:
    """Issue a link to the page with the approved models, for people without an AWS account."""
    from local.cli.catalogue import issue_link, revoke_links

    if days is not None and revoke is not None:
        raise click.UsageError("--days is for a new link, --revoke for one that is there: give one of them.")
    sys.exit(issue_link(days) if revoke is None else revoke_links(revoke))


@cli.command(epilog=EXIT_CODES)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path), default=SAMPLE
)
@click.option(
    "--workload",
    metavar="NAME",
    help="What the file is for.  [default: the workload that takes files with its ending]",
)
@click.option(
    "--decision",
    type=click.Choice(["approve", "reject", "none"]),
    default="approve",
    show_default=True,
    help="The answer to the approval mail; none leaves the request open.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    help="Limit of the gate for this run, where a stack parameter sets it.  [default: as deployed]",
)
@click.option("--force", is_flag=True, help="Do every step, even if an earlier run has its result.")
@click.option("--no-release", is_flag=True, help="Release no endpoint, whatever EndpointType is deployed.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object as the last line, the rest to stderr."
)
def run(
    file: Path,
    workload: str | None,
    decision: str,
    threshold: float | None,
    force: bool,
    no_release: bool,
    as_json: bool,
) -> None:
    """Send a file (default: the sample) through the pipeline and follow it.

    Uses the `mpg up` of this checkout, or starts an embedded AWS for the duration of the run.
    """
    from local.cli.run import Order, run_file
    from local.cli.workloads import WrongWorkload, check_choice

    try:
        check_choice(file, workload, threshold)
    except WrongWorkload as wrong:
        raise click.UsageError(str(wrong)) from None
    with Interrupts() as interrupts:
        order = Order(file, workload, decision, threshold, releases=not no_release, reuses=not force)
        sys.exit(run_file(interrupts, order, as_json=as_json))


@cli.command(epilog=EXIT_CODES)
@click.argument("workload")
@click.option(
    "--on",
    type=click.Choice(["newest", "all"]),
    help="The newest upload that led to a model, or all of them together.  [default: as deployed]",
)
@click.option(
    "--decision",
    type=click.Choice(["approve", "reject", "none"]),
    default="approve",
    show_default=True,
    help="The answer to the approval mail; none leaves the request open.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object as the last line, the rest to stderr."
)
def retrain(workload: str, on: str | None, decision: str, as_json: bool) -> None:
    """Train WORKLOAD again on what was uploaded to the running `mpg up` before, and follow the run."""
    from local.cli.retrain import retrain_workload

    with Interrupts():
        sys.exit(retrain_workload(workload, on, decision, as_json=as_json))


@cli.command()
@click.argument("workload", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, the rest to stderr.")
def monitor(workload: str | None, as_json: bool) -> None:
    """Look now at what the live models of the running `mpg up` were asked since the last time.

    Without WORKLOAD, it looks at all of them.
    """
    from local.cli.monitor import look_now

    with Interrupts():
        sys.exit(look_now(workload, as_json=as_json))


@cli.command()
@click.argument("run", required=False)
@click.argument("other", required=False)
@click.option(
    "--to",
    type=click.Path(path_type=Path, allow_dash=True),
    help="File or folder to write to, - for stdout.  [default: the run's id, here]",
)
@click.option(
    "--config-env",
    metavar="NAME",
    help="Report on a run in your AWS account: the stack of this environment of samconfig.toml.",
)
@click.option("--region", help="AWS region, with --config-env.  [default: as for mpg deploy]")
def report(
    run: str | None, other: str | None, to: Path | None, config_env: str | None, region: str | None
) -> None:
    """Write a page about a run of the running `mpg up`, or compare it with another one.

    A unique part of a run's id will do. Without RUN, it is the newest.
    """
    from local.cli.run_report import write_report

    if region and not config_env:
        raise click.UsageError("--region is for a run in your AWS account: give --config-env, too.")
    sys.exit(write_report(tuple(filter(None, (run, other))), to, config_env, region))


@cli.command()
@click.argument("workload")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
def predict(workload: str, file: Path) -> None:
    """Send the rows of a file to a workload's endpoint in the running `mpg up`; print an answer a line."""
    from local.cli.predict import predict_file

    with Interrupts():
        sys.exit(predict_file(workload, file))


@cli.command()
@click.argument("workload", required=False)
@click.option(
    "--to",
    "version",
    type=click.IntRange(1),
    help="An approved version.  [default: the one that was live before]",
)
def rollback(workload: str | None, version: int | None) -> None:
    """Release an earlier approved version to a workload's endpoint in the running `mpg up`.

    Without WORKLOAD, it is the default workload.
    """
    from local.cli.rollback import roll_back

    with Interrupts():
        sys.exit(roll_back(workload, version))


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """The console script."""
    # Otherwise Python looks through all that was imported before it ends, for 50 ms.
    atexit.register(gc.freeze)
    try:
        cli()
    except Interrupted as interrupted:
        sys.exit(interrupted.exit_code)


if __name__ == "__main__":
    main()

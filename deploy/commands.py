"""The commands of `mpg` that work on your AWS account.

Here is only what `--help` needs; each command imports the rest when it runs.
"""

import sys

import click

_ENVIRONMENT = click.option(
    "--config-env",
    default="default",
    show_default=True,
    metavar="NAME",
    help="Environment of samconfig.toml.",
)
_REGION = click.option("--region", help="AWS region.  [default: that of samconfig.toml or the AWS profile]")


@click.command("deploy")
@_ENVIRONMENT
@_REGION
@click.option("--skip-quotas", is_flag=True, help="Do not check the account's quotas.")
def deploy_command(config_env: str, region: str | None, skip_quotas: bool) -> None:
    """Deploy the pipeline to your AWS account.

    The first time, this checks the account's quotas and asks for the parameters. Later deployments do
    neither. Exits with the SAM CLI's exit code, or with 2 if it could not call it.
    """
    from deploy.deployment import deploy
    from deploy.sdk_errors import exit_with_message

    with exit_with_message():
        sys.exit(deploy(config_env, region, skip_quotas=skip_quotas))


@click.command("destroy")
@click.option("--stack-name", metavar="NAME", help="Stack to delete.")
@click.option(
    "--config-env",
    metavar="NAME",
    help="Environment of samconfig.toml whose stack to delete.  [default: default]",
)
@_REGION
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def destroy_command(stack_name: str | None, config_env: str | None, region: str | None, yes: bool) -> None:
    """Delete the pipeline and all its data from your AWS account.

    This deletes models and approvals as well, and nothing can be restored. Exits with 0 when everything is
    gone, else with 2.
    """
    from deploy.destroy import run
    from deploy.sdk_errors import exit_with_message
    from deploy.settings import read_settings

    if stack_name and config_env:
        raise click.UsageError("Give either --stack-name or --config-env, not both.")
    with exit_with_message():
        if not stack_name:
            settings = read_settings(config_env or "default")
            stack_name, region = settings.stack_name, region or settings.region
        run(stack_name, region, yes=yes)


@click.command("preflight")
@click.option("--region", help="AWS region.  [default: that of the AWS profile]")
@click.option("--read-only", is_flag=True, help="Create nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before creating anything.")
def preflight_command(region: str | None, read_only: bool, yes: bool) -> None:
    """Check in your AWS account what the pipeline assumes about AWS.

    Exits with 0 when nothing differs from what is assumed, and with 1 when something does.
    """
    from deploy.preflight.assumptions import check_assumptions
    from deploy.sdk_errors import exit_with_message

    with exit_with_message():
        sys.exit(0 if check_assumptions(region, read_only=read_only, agreed=yes) else 1)


@click.command("quotas")
@_ENVIRONMENT
@_REGION
def quotas_command(config_env: str, region: str | None) -> None:
    """Compare your AWS account's quotas with what a run needs.

    Exits with 0 when the account has every quota, and with 1 when it lacks one.
    """
    from deploy.quotas import check_account
    from deploy.sdk_errors import exit_with_message
    from deploy.settings import read_settings

    with exit_with_message():
        sys.exit(0 if check_account(read_settings(config_env), region) else 1)


COMMANDS = (deploy_command, destroy_command, preflight_command, quotas_command)

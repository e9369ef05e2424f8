"""The running `mpg up` of this checkout, for the commands that need one."""

from deploy.problems import Trouble
from local.cli.down import NOTE
from local.cli.endpoint import Endpoint, endpoint_of
from local.cli.instance import read_running


def running() -> Endpoint:
    """Its embedded AWS. Raises Trouble if there is none."""
    note = read_running(NOTE)
    endpoint = endpoint_of(note) if note else None
    if endpoint is None:
        raise Trouble("No mpg up is running for this checkout", "Start one with `mpg up`.")
    return endpoint

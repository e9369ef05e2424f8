"""Check, in your account, what the pipeline assumes about AWS and only a real account can show."""

from collections import Counter

import boto3

from deploy.preflight import hosts, making, reading, serving
from deploy.preflight.checks import Account, Check, Seen, Verdict
from deploy.preflight.own_stack import NAME, own_stack
from deploy.problems import Trouble
from deploy.settings import image_accounts

MAKING = (*making.CHECKS, *serving.CHECKS, *hosts.CHECKS)
_COSTS = f"""
The other checks create a stack, {NAME}, and remove it afterwards. They run two processing
jobs, the second on two instances, and a transform job, each for some minutes on ml.m5.large: about 0.05 USD
in all, and some 20 minutes.
"""


def preflight(account: Account, *, read_only: bool, agreed: bool) -> Counter[Verdict]:
    """Perform the checks and print each; returns the number of each verdict."""
    seen = Counter(show(check, check.perform(account)) for check in reading.CHECKS)
    if read_only:
        return seen
    print(_COSTS)
    if not agreed and input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        print("Nothing was created.")
        return seen
    with own_stack(account) as made:
        return seen + Counter(show(check, check.perform(made)) for check in MAKING)


def show(check: Check, seen: Seen) -> Verdict:
    """Print the assumption, the finding and the command that shows it by hand."""
    print(f"[{seen.verdict}] {check.assumption}")
    print(f"    seen: {seen.text}")
    print(f"    by hand: {check.command}", flush=True)
    return seen.verdict


def check_assumptions(region: str | None, *, read_only: bool, agreed: bool) -> bool:
    """Print each assumption with what is seen; whether nothing differs. Raises Trouble for another region."""
    session = boto3.Session(region_name=region)
    caller = session.client("sts").get_caller_identity()
    if session.region_name not in image_accounts():
        raise Trouble(
            f"The pipeline does not support {session.region_name}", "docs/aws.md, Region, explains why."
        )
    print(f"Account {caller['Account']}, region {session.region_name}\n")
    found = preflight(Account(session.region_name), read_only=read_only, agreed=agreed)
    print("\n" + ", ".join(f"{number} {verdict}" for verdict, number in sorted(found.items())))
    return not found["differs"]

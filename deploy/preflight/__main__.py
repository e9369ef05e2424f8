"""Check, in your account, what the pipeline assumes about AWS and only a real account can show."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

import boto3

from deploy.preflight import making, reading, serving
from deploy.preflight.checks import Account, Check, Seen, Verdict
from deploy.preflight.own_stack import NAME, own_stack
from deploy.problems import Trouble, told_to_a_person
from deploy.settings import image_accounts

MAKING = (*making.CHECKS, *serving.CHECKS)
_COSTS = f"""
The other checks create a stack, {NAME}, and remove it afterwards. They run one processing and
one transform job, each for some minutes on an ml.m5.large: about 0.03 USD in all, and a quarter of an hour.
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if every finding is as assumed, 1 if any differs."""
    parser = argparse.ArgumentParser(prog="python -m deploy.preflight", description=__doc__)
    parser.add_argument("--region", help="AWS region (default: that of the AWS profile)")
    parser.add_argument("--read-only", action="store_true", help="create nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask before anything is created")
    options = parser.parse_args(arguments)
    with told_to_a_person():
        session = boto3.Session(region_name=options.region)
        caller = session.client("sts").get_caller_identity()
        if session.region_name not in image_accounts():
            raise Trouble(
                f"The pipeline does not support {session.region_name}; docs/aws.md, Region, explains why."
            )
        print(f"Account {caller['Account']}, region {session.region_name}\n")
        found = preflight(Account(session.region_name), read_only=options.read_only, agreed=options.yes)
        print("\n" + ", ".join(f"{number} {verdict}" for verdict, number in sorted(found.items())))
        return 1 if found["differs"] else 0
    return 2


if __name__ == "__main__":
    sys.exit(main())

"""What a run cost: the instances that its jobs used, at the prices of its region.

Storage, requests, functions and state transitions are left out: they come to less than a cent a run
(docs/costs.md). A step whose result was reused has no job and costs nothing.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from costs.prices import CURRENCY, usd_per_hour
from costs.usage import Use, uses_of
from shared.aws import client
from shared.telemetry import describe_error, logger

STEPS = ("preprocess", "tune", "evaluate", "predict")
_DECIMALS = 6
# If SageMaker hangs, all attempts together end before the functions that ask do.
READ_SECONDS = 3


@dataclass(frozen=True)
class RunCost:
    """What the jobs of a run cost, in all and by step. `unknown` has what no price is known for.

    `as_if`: the jobs ran on an embedded AWS, and this is what AWS would have billed for their seconds.
    """

    total: float
    steps: Mapping[str, float]
    spot_saving: float = 0.0
    unknown: tuple[str, ...] = ()
    as_if: bool = False
    currency: str = field(default=CURRENCY)

    def to_json(self) -> dict[str, Any]:
        """The form in records and outputs."""
        return {**asdict(self), "unknown": list(self.unknown)}

    @classmethod
    def from_json(cls, found: object) -> "RunCost | None":
        """Read that form, perhaps of another version. None if it is missing or not one; never raises."""
        if not isinstance(found, Mapping) or not isinstance(found.get("steps"), Mapping):
            return None
        try:
            return cls(
                total=float(found["total"]),
                steps={str(step): float(usd) for step, usd in found["steps"].items()},
                spot_saving=float(found.get("spot_saving") or 0.0),
                unknown=tuple(str(each) for each in found.get("unknown") or ()),
                as_if=bool(found.get("as_if")),
                currency=str(found.get("currency") or CURRENCY),
            )
        except (KeyError, TypeError, ValueError):
            return None


def of_run(run_id: str) -> RunCost:
    """What the run's jobs have cost so far."""
    uses = uses_of(run_id, client("sagemaker", read_timeout=READ_SECONDS))
    return cost_of(uses, os.environ.get("AWS_REGION", ""), as_if="AWS_ENDPOINT_URL" in os.environ)


def if_readable(run_id: str) -> RunCost | None:
    """The same; None if SageMaker does not answer, because no mail shall wait for a figure."""
    try:
        return of_run(run_id)
    except (ClientError, BotoCoreError) as error:
        logger.warning("cost not readable", run_id=run_id, **describe_error(error))
        return None


def cost_of(uses: Iterable[Use], region: str, *, as_if: bool = False) -> RunCost:
    """What these uses cost at the region's prices."""
    steps: dict[str, float] = {}
    saving, unknown = 0.0, set()
    for use in uses:
        price = usd_per_hour(region, use.kind, use.instance_type)
        if price is None:
            unknown.add(f"{use.instance_type} ({use.kind}, {region})")
            continue
        usd = price * use.count / 3600
        steps[use.step] = steps.get(use.step, 0.0) + usd * use.seconds
        saving += usd * use.saved
    ordered = {step: round(steps[step], _DECIMALS) for step in STEPS if step in steps}
    return RunCost(
        total=round(sum(ordered.values()), _DECIMALS),
        steps=ordered,
        spot_saving=round(saving, _DECIMALS),
        unknown=tuple(sorted(unknown)),
        as_if=as_if,
    )

"""The prices of SageMaker's instances, from `prices.json`, which `deploy/prices.py` writes.

The file holds one or more lists, each with its source and date; of two prices for the same thing, the newer
one counts. What no list has is unknown: nothing here guesses.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

Kind = Literal["processing", "training", "transform", "hosting"]
FILE = Path(__file__).with_name("prices.json")
CURRENCY = "USD"
SERVERLESS, GB_SECOND = "serverless", "gb-second"


def usd_per_hour(region: str, kind: Kind, instance_type: str) -> float | None:
    """What an hour of an instance costs there, for this kind of work; None if it is unknown."""
    return _prices(region, kind).get(instance_type)


def known_types(region: str, kind: Kind) -> Mapping[str, float]:
    """The instance types with a known price, and the price of an hour."""
    return _prices(region, kind)


def serverless_usd_per_gb_second(region: str) -> float | None:
    """What a serverless endpoint costs a second and GB of memory, while it answers; None if unknown."""
    return _prices(region, SERVERLESS).get(GB_SECOND)


@cache
def _prices(region: str, kind: str) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for each in sorted(_lists(), key=lambda one: str(one["date"])):
        found |= each["regions"].get(region, {}).get(kind, {})
    return found


@cache
def _lists() -> list[dict[str, Any]]:
    lists: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["lists"]
    return lists

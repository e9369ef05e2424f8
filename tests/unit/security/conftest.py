"""Attacks on everything an attacker can reach: files, names, archives, models, requests, events."""

import sys
from pathlib import Path

from tests.unit.functions.conftest import context, log, pytest_itemcollected, world

__all__ = ["ROOT", "context", "log", "pytest_itemcollected", "world"]

ROOT = Path(__file__).parents[3]
# The Lambdas' modules are importable by now (tests/unit/functions/conftest.py), with the jobs' beside them.
assert str(ROOT / "processing") in sys.path

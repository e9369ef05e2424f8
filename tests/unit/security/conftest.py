"""Attacks on everything an attacker can reach: files, names, archives, models, requests, events."""

from pathlib import Path

from tests.unit.functions.conftest import context, log, moto, pytest_itemcollected, world

__all__ = ["ROOT", "context", "log", "moto", "pytest_itemcollected", "world"]

ROOT = Path(__file__).parents[3]

"""Cleans the names of cars, a column at a time. No model reads names, but people see them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from auto_mpg.car import read_value
from common.arrow import texts_to_arrow

# Plain words, with a blank between them.
_CLEAN = r"^(?:[!-~]+(?: [!-~]+)*)?$"
# The start of a formula at the start of a cell, whichever separator the spreadsheet assumes.
_FORMULA = r'((?:^|[;,|])[ "]*)([=+@\-＝＋＠－])'


def clean(names: pa.Array) -> pa.Array:
    """Each name as `car.read_value` reads it."""
    if pc.all(pc.match_substring_regex(names, _CLEAN)).as_py() is not False:
        return names
    encoded = names.dictionary_encode()
    different = [read_value("car_name", name) for name in encoded.dictionary.to_pylist()]
    return texts_to_arrow(different).take(encoded.indices)


def without_formulas(names: pa.Array) -> pa.Array:
    """The names as a spreadsheet shows them as text: predictions repeat them, and people open those there."""
    return pc.replace_substring_regex(names, _FORMULA, r"\1'\2")

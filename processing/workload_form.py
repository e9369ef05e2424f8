"""What the schema cannot say of a workload's form: that its parts fit each other (docs/workloads.md)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Form = Mapping[str, Any]

_OF_A_DRAWING = ("width", "height", "tensor", "center")
_OF_FIELDS = ("fields", "tensors", "curve")
_FOREIGN = {"fields": _OF_A_DRAWING, "drawing": _OF_FIELDS}
_OUTPUT = {"fields": ("label", "decimals"), "drawing": ("labels",)}
_FOREIGN_OUTPUT = {"fields": ("labels",), "drawing": ("label", "unit", "decimals")}


def find_problem(form: Form) -> str | None:
    """The first thing that is wrong with a form which the schema allows, and the way out."""
    return next(_problems(form), None)


def _problems(form: Form) -> Iterator[str]:
    kind = form["kind"]
    yield from (f"form.{name}: a form of the kind {kind} has none" for name in _FOREIGN[kind] if name in form)
    output = form["output"]
    yield from (f"form.output.{name}: it is missing" for name in _OUTPUT[kind] if name not in output)
    yield from (
        f"form.output.{name}: a form of the kind {kind} has none"
        for name in _FOREIGN_OUTPUT[kind]
        if name in output
    )
    if kind == "fields":
        fields = {field["name"]: field for field in form["fields"]}
        yield from _repeated("form.fields", [field["name"] for field in form["fields"]])
        for field in form["fields"]:
            yield from _of_choices(field) if "choices" in field else _of_range(field)
        yield from _of_tensors(form["tensors"], fields)
        yield from _of_curve(form, fields)


def _of_range(field: Form) -> Iterator[str]:
    place, low, high = f"form.fields, {field['name']}", field["minimum"], field["maximum"]
    if low >= high:
        yield f"{place}: minimum has to be below maximum"
    elif not low <= field["default"] <= high:
        yield f"{place}: the default lies outside of its range, {low} to {high}"
    elif field["step"] > high - low:
        yield f"{place}: a step is longer than its range, {low} to {high}"


def _of_choices(field: Form) -> Iterator[str]:
    place, values = f"form.fields, {field['name']}", [choice["value"] for choice in field["choices"]]
    yield from _repeated(f"{place}.choices", values)
    if field["default"] not in values:
        yield f"{place}: the default is none of its choices"


def _of_tensors(tensors: Sequence[Form], fields: Mapping[str, Form]) -> Iterator[str]:
    yield from _repeated("form.tensors", [tensor["name"] for tensor in tensors])
    used = [name for tensor in tensors for name in tensor["fields"]]
    yield from (f"form.tensors: there is no field {name}" for name in used if name not in fields)
    yield from _repeated("form.tensors", used)
    yield from (f"form.fields, {name}: no tensor takes it" for name in fields if name not in used)
    for tensor in tensors:
        if tensor["type"] == "int64":
            for name in tensor["fields"]:
                yield from _of_integers(tensor["name"], fields[name])


def _of_integers(tensor: str, field: Form) -> Iterator[str]:
    place = f"form.fields, {field['name']}"
    if field.get("optional"):
        yield f"{place}: it may be unknown, which the integers of the tensor {tensor} cannot say"
    numbers = [field[name] for name in ("minimum", "maximum", "step", "default") if name in field]
    numbers += [choice["value"] for choice in field.get("choices", ())]
    if any(number != int(number) for number in numbers):
        yield f"{place}: the tensor {tensor} takes whole numbers only"


def _of_curve(form: Form, fields: Mapping[str, Form]) -> Iterator[str]:
    if curve := form.get("curve"):
        if curve["field"] not in fields:
            yield f"form.curve: there is no field {curve['field']}"
        elif "choices" in fields[curve["field"]]:
            yield f"form.curve: {curve['field']} has choices; a curve needs a range"


def _repeated(place: str, values: Sequence[object]) -> Iterator[str]:
    yield from (
        f"{place}: {value} is there twice" for value in dict.fromkeys(values) if values.count(value) > 1
    )

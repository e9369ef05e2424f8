from collections.abc import Iterator
from typing import Any

import pytest

from local.sagemaker.patterns import java_pattern
from local.sagemaker.validation import service_model


def patterns() -> Iterator[str]:
    seen: set[str] = set()

    def walk(shape: Any) -> Iterator[str]:
        if shape is None or shape.name in seen:
            return
        seen.add(shape.name)
        if "pattern" in shape.metadata:
            yield shape.metadata["pattern"]
        for part in parts_of(shape):
            yield from walk(part)

    for name in service_model().operation_names:
        yield from walk(service_model().operation_model(name).input_shape)


def parts_of(shape: Any) -> list[Any]:
    if shape.type_name == "structure":
        return list(shape.members.values())
    if shape.type_name == "list":
        return [shape.member]
    return [shape.key, shape.value] if shape.type_name == "map" else []


def test_every_pattern_of_sagemakers_requests_compiles() -> None:
    found = list(patterns())

    assert len(found) > 300
    for pattern in found:
        java_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", "a-b", True),
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", "a_b", False),
        (r".*", "one line", True),
        (r".*", "two\nlines", False),
        (r".*", "carriage\rreturn", False),
        (r".*", "next\u0085line", False),
        (r"[\S\s]*", "two\nlines", True),
        (r"[.]*", "..", True),
        (r"[.]*", "ab", False),
        (r"\d{2}", "12", True),
        (r"\d{2}", "\u0661\u0662", False),
        (r"[\w]+", "a_1", True),
        (r"[\w]+", "\u00e9", False),
        (r"[\p{L}\p{N}]+", "\u00e9\u0661", True),
        (r"([\p{L}\p{Z}]*)${1,256}", "a b", True),
        (r"([\p{L}\p{Z}]*)${1,256}", "a+b", False),
        (r"[\u0020-\uD7FF\uD800\uDC00-\uDBFF\uDFFF]*", "car \U0001f697", True),
        (r"a\.b", "axb", False),
    ],
)
def test_a_pattern_means_what_it_means_in_java(pattern: str, text: str, matches: bool) -> None:
    assert bool(java_pattern(pattern).fullmatch(text)) is matches

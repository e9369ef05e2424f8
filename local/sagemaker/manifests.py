"""The file behind a data source of the type `ManifestFile`.

Its format is documented at https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass


class BadManifest(Exception):
    """The content is not a manifest; the text says what is wrong."""


@dataclass(frozen=True)
class Manifest:
    """The objects of an input: each URI is the prefix followed by a name."""

    prefix: str
    names: tuple[str, ...]


def read_manifest(content: bytes) -> Manifest:
    """The manifest in a file: `[{"prefix": "s3://bucket/folder/"}, "a.csv", ...]`. Raises BadManifest."""
    try:
        parts = json.loads(content)
    except ValueError as error:
        raise BadManifest(f"it is not JSON ({error})") from None
    match parts:
        case [{"prefix": str(prefix), **others}, *names] if not others:
            return Manifest(_checked(prefix), _only_names(names))
    raise BadManifest('it must be an array that begins with {"prefix": "s3://..."}')


def _checked(prefix: str) -> str:
    if not re.match(r"s3://[^/]+(/|$)", prefix):
        raise BadManifest(f"the prefix '{prefix}' is not an S3 URI")
    return prefix


def _only_names(names: list[object]) -> tuple[str, ...]:
    texts = tuple(name for name in names if isinstance(name, str) and name)
    if not names or len(texts) != len(names):
        raise BadManifest("after the prefix it must have one or more strings, none of them empty")
    return texts

"""Packs what `sam build` made, once for each of its folders.

`sam deploy` would pack a folder anew for every function that it is the code of, at every deployment. Packed
here, the folders of functions with the same content also give the same bytes: one upload, unpacked once.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_NESTED = {"AWS::CloudFormation::Stack": "TemplateURL"}
# The earliest time that a zip file can store; what was built at another time has the same content.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
# A readable file. Lambda runs code as another user than the one who packed it.
_MODE = 0o100644 << 16
_COMPRESSED = {".gz", ".whl"}


def pack(template: Path) -> Path:
    """Write the built template beside itself as JSON, with a zip file in place of each folder with code.

    The zip files are made beside their folders. `sam deploy` reads a template seven times, which takes two
    seconds where it is YAML.
    """
    return _pack(template, set())


def _pack(template: Path, done: set[Path]) -> Path:
    """The same; `done` has the folders that are packed."""
    from samcli.yamlhelper import yaml_parse

    content = yaml_parse(template.read_text(encoding="utf-8"))
    resources = {name: _packed(each, template.parent, done) for name, each in content["Resources"].items()}
    packed = template.with_suffix(".json")
    packed.write_text(json.dumps({**content, "Resources": resources}), encoding="utf-8")
    return packed


def _packed(resource: Any, folder: Path, done: set[Path]) -> Any:
    if not isinstance(resource, Mapping):  # of Fn::ForEach
        return resource
    properties, kind = resource.get("Properties", {}), str(resource["Type"])
    for places, path_of in ((_CODE, _package), (_NESTED, _nested)):
        place = places.get(kind, "")
        if path := path_of(folder, properties.get(place), done):
            return {**resource, "Properties": {**properties, place: path}}
    return resource


def _package(folder: Path, code: Any, done: set[Path]) -> str | None:
    if not isinstance(code, str) or not (folder / code).is_dir():
        return None
    package = f"{code}.zip"
    if (source := (folder / code).resolve()) not in done:
        _zip(source, folder / package)
        done.add(source)
    return package


def _nested(folder: Path, template: Any, done: set[Path]) -> str | None:
    if not isinstance(template, str) or not (folder / template).is_file():
        return None
    return _pack(folder / template, done).relative_to(folder).as_posix()


def _zip(folder: Path, package: Path) -> None:
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _LONG_AGO)
            entry.external_attr = _MODE
            # Compressing again would gain nothing; compressing well takes three times as long.
            entry.compress_type = zipfile.ZIP_STORED if path.suffix in _COMPRESSED else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=1)

"""Packs what `sam build` made, once for each of its folders.

`sam deploy` would pack a folder anew for every function that it is the code of, at every deployment. Packed
here, the folders of functions with the same content also give the same bytes: one upload, unpacked once.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
# The earliest time that a zip file can store; what was built at another time has the same content.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
# A readable file. Lambda runs code as another user than the one who packed it.
_MODE = 0o100644 << 16


def with_packages(template: Mapping[str, Any], app: Path) -> dict[str, Any]:
    """The built template with a zip file, which is made beside it, in place of each folder with code."""
    resources = template["Resources"]
    return {
        **template,
        "Resources": {name: _with_package(resource, app) for name, resource in resources.items()},
    }


def _with_package(resource: Any, app: Path) -> Any:
    if not isinstance(resource, Mapping):  # of Fn::ForEach
        return resource
    properties = resource.get("Properties", {})
    place = _CODE.get(str(resource["Type"]), "")
    folder = properties.get(place)
    if not isinstance(folder, str) or not (app / folder).is_dir():
        return resource
    package = f"{folder}.zip"
    if not (app / package).exists():
        _pack(app / folder, app / package)
    return {**resource, "Properties": {**properties, place: package}}


def _pack(folder: Path, package: Path) -> None:
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _LONG_AGO)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _MODE
            archive.writestr(entry, path.read_bytes())

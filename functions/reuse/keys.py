"""The key of a step: a hash of all that its result depends on, by content.

Names, places and times are left out. The digest of `summary.json` is not used either: it covers the
manifests, which name the run. What the summary says of the files takes its place.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from reuse.files import digest, read_summary

_MANIFEST = ".manifest"
# Tuning reads these channels, and nothing else that was prepared.
_TUNING_READS = ("train/", "validation/")


def find_key(request: Mapping[str, Any]) -> dict[str, str]:
    """The `key` of the step that an execution is about to do, and the `model_digest` that it depends on.

    Empty if a part of the content is unknown.
    """
    step, content, found = str(request["step"]), dict(request["content"]), {}
    if _is_unknown(content.get("champion")):
        return {}
    if prepared := request.get("prepared"):
        content["prepared"] = _prepared(step, read_summary(prepared["uri"], prepared["digest"]))
    if model_uri := request.get("model_uri"):
        content["model"] = found["model_digest"] = digest(model_uri)
    canonical = json.dumps([step, content], sort_keys=True, separators=(",", ":"))
    return {**found, "key": hashlib.sha256(canonical.encode()).hexdigest()}


def _is_unknown(champion: Mapping[str, Any] | None) -> bool:
    """Whether nothing says which file the champion was registered with: somebody registered it by hand."""
    return bool(champion) and "digest" not in (champion or {})


def _prepared(step: str, summary: Mapping[str, Any]) -> Mapping[str, Any]:
    files = {name: of for name, of in summary["digests"].items() if not name.endswith(_MANIFEST)}
    if step == "tune":
        return {name: of for name, of in files.items() if name.startswith(_TUNING_READS)}
    return {**summary, "digests": files}

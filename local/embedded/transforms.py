"""What SAM's transform made of templates, kept in files.

It makes the same of the same template. It takes longer than all the rest of a change set, and importing it a
quarter of a second and 16 MB.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

# More than a deployment has, with its nested templates and the parameters that tests give it.
KEPT = 50
# In the files for this server's own address, which templates have in those of their nested ones.
_HERE = "https://here.invalid"

Template = dict[str, Any]
Transform = Callable[[Template, dict[str, Any], Any], Template]


class Transforms:
    """SAM's transform, which is called only for templates of which `folder` has no result."""

    def __init__(self, folder: Path, endpoint_url: str, transform: Transform) -> None:
        self._folder = folder
        self._endpoint_url = endpoint_url
        self._transform = transform

    def __call__(self, template: Template, parameters: dict[str, Any], policies: Any) -> Template:
        """What `transform` makes of a template. Raises what it raises."""
        path = self._path(template, parameters)
        try:
            kept = path.read_text(encoding="utf-8")
            path.touch()
        except OSError:
            made = self._transform(template, parameters, policies)
            self._keep(path, made)
            return made
        found: Template = json.loads(kept.replace(_HERE, self._endpoint_url))
        return found

    def _path(self, template: Template, parameters: dict[str, Any]) -> Path:
        # The transform asks for the region in which it runs.
        given = [version("aws-sam-translator"), os.environ.get("AWS_DEFAULT_REGION"), parameters, template]
        anywhere = json.dumps(given, default=repr).replace(self._endpoint_url, _HERE)
        return self._folder / f"{hashlib.sha256(anywhere.encode()).hexdigest()[:32]}.json"

    def _keep(self, path: Path, made: Template) -> None:
        body = json.dumps(made, default=repr)
        # YAML has what JSON would change, such as bytes, or numbers for names.
        if json.loads(body) != made:
            return
        # Nobody waits for it: the disk may be full, and other servers write and remove files here, too.
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._folder, encoding="utf-8", delete=False
            ) as partial:
                partial.write(body.replace(self._endpoint_url, _HERE))
            Path(partial.name).rename(path)
            for old in sorted(self._folder.iterdir(), key=lambda each: each.stat().st_mtime)[:-KEPT]:
                old.unlink()

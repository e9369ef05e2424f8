"""What SAM's transform made of templates, kept in files.

It makes the same of the same template. It takes longer than all the rest of a change set, and importing it a
quarter of a second and 16 MB.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

# More than a deployment has, with its nested templates and the parameters that tests give it.
KEPT = 50
# In the files, for an address of the server. A template has those of its nested ones, whose names are hashes
# of what may have further addresses; the transform only passes them on. JSON writes this letter as an escape.
_STAND_IN = re.compile(r"§(\d+)§")

Template = dict[str, Any]
Transform = Callable[[Template, dict[str, Any], Any], Template]


class Transforms:
    """SAM's transform, which is called only for templates of which `folder` has no result."""

    def __init__(self, folder: Path, endpoint_url: str, transform: Transform) -> None:
        self._folder = folder
        self._address = re.compile(re.escape(endpoint_url) + r'[^"\\]*')
        self._transform = transform

    def __call__(self, template: Template, parameters: dict[str, Any], policies: Any) -> Template:
        """What `transform` makes of a template. Raises what it raises."""
        # The transform asks for the region in which it runs.
        given = [version("aws-sam-translator"), os.environ.get("AWS_DEFAULT_REGION"), parameters, template]
        text = json.dumps(given, default=repr)
        addresses = list(dict.fromkeys(self._address.findall(text)))
        digest = hashlib.sha256(self._anywhere(text, addresses).encode()).hexdigest()
        path = self._folder / f"{digest[:32]}.json"
        try:
            kept = path.read_text(encoding="utf-8")
            path.touch()
        except OSError:
            made = self._transform(template, parameters, policies)
            self._keep(path, made, addresses)
            return made
        found: Template = json.loads(_STAND_IN.sub(lambda match: addresses[int(match[1])], kept))
        return found

    def _anywhere(self, text: str, addresses: Sequence[str]) -> str:
        """The text with numbers for this server's addresses. Raises ValueError for one that is not listed."""
        return self._address.sub(lambda match: f"§{addresses.index(match[0])}§", text)

    def _keep(self, path: Path, made: Template, addresses: Sequence[str]) -> None:
        body = json.dumps(made, default=repr)
        # YAML has what JSON would change, such as bytes, or numbers for names.
        if json.loads(body) != made:
            return
        # Nobody waits for it: the disk may be full, and other servers write and remove files here, too.
        with suppress(OSError, ValueError):
            anywhere = self._anywhere(body, addresses)
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._folder, encoding="utf-8", delete=False
            ) as partial:
                partial.write(anywhere)
            Path(partial.name).rename(path)
            for old in sorted(self._folder.iterdir(), key=lambda each: each.stat().st_mtime)[:-KEPT]:
                old.unlink()

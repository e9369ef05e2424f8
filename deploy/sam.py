"""The SAM CLI in less time: `python -m deploy.sam` takes the arguments of `sam`."""

import gc
import importlib
import sys
from typing import Any


def make_fast() -> None:
    """To be called before the SAM CLI is imported."""
    # Modules stay, and a command is over before collecting its garbage, a quarter of its time, would pay.
    gc.disable()
    # For containers of other machines, and for the SDK, although Python has the same: a sixth of the imports.
    for library in ("paramiko", "OpenSSL"):
        sys.modules[library] = None  # type: ignore[assignment]
    # It reads and writes each template several times, which takes most of a build in Python.
    use_c_for_yaml()
    # Each time, it also checks a file of its own by its schema: that of the policies which SAM has ready.
    policies: Any = importlib.import_module("samtranslator.policy_template_processor.processor")
    policies.PolicyTemplatesProcessor._is_valid_templates_dict = staticmethod(lambda *_, **__: True)


def use_c_for_yaml() -> None:
    """Let the SAM CLI, and what is imported from now on, read and write YAML in C where it can."""
    yaml: Any = importlib.import_module("yaml")
    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    yaml.SafeDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def main() -> None:
    make_fast()
    from samcli.cli.main import cli

    sys.argv[0] = "sam"
    cli()


if __name__ == "__main__":
    main()

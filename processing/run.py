"""The one entry point of processing jobs: `python3 run.py preprocess auto_mpg --upload ...`.

It is beside the packages that the jobs import, so Python finds them wherever the folder is.
"""

import importlib
import sys

from common.workload import UnknownWorkload, find_workload

# Imported only for their own step, so that a change to one does not concern the other (`code_digests.py`).
STEPS = {
    "preprocess": "common.preprocessing",
    "evaluate": "common.evaluating",
    "monitor": "common.monitoring",
}


def main(arguments: list[str]) -> int:
    """Run a step of a workload; returns the exit code."""
    if len(arguments) < 2 or arguments[0] not in STEPS:
        print(f"usage: run.py {'|'.join(STEPS)} WORKLOAD [options]", file=sys.stderr)
        return 2
    step, name, *options = arguments
    try:
        workload = find_workload(name)
    except UnknownWorkload as error:
        print(error, file=sys.stderr)
        return 2
    code: int = importlib.import_module(STEPS[step]).main(workload, options)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

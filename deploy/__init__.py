"""Deploying the pipeline to an AWS account, and removing it again."""

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
# `mpg` uses modules of the Lambdas and the jobs; no child process inherits the way to them.
sys.path.extend([str(_ROOT / "functions"), str(_ROOT / "processing")])

"""The command line `mpg`: starts the embedded AWS, deploys to it, and follows a file through the pipeline."""

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
# Its own way to the modules of the Lambdas and the jobs; no child process inherits it.
sys.path.extend([str(_ROOT / "functions"), str(_ROOT / "processing")])

"""Importing `deploy` makes the modules of the Lambdas and the jobs importable."""

import deploy  # noqa: F401

"""Tests of digits with the standard library and scikit-learn; those in `pytorch/` need its environment.

They run with that environment's interpreter: `python -m tests.pytorch tests`.
"""

collect_ignore = ["pytorch"]

"""A model that was evaluated: its report, its kept files, its figures and first predictions."""

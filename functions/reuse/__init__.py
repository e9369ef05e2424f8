"""Results of finished runs, step by step, that a later run with the same data, code and settings reuses."""

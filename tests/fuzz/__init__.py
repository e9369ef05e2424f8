"""Coverage-guided fuzzing of whatever reads what others sent: `make fuzz`, or `python -m tests.fuzz --help`."""

"""The report of a run: one page with everything that is known about it, during the run and afterwards."""

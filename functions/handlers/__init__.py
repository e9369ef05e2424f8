"""One thin file for each Lambda: what it is called with, what it answers. The packages have the logic."""

"""One thin module for each Lambda: it reads the event and returns the answer. The packages have the logic."""

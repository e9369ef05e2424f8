"""Monitoring between uploads: what is looked at, what was found, and who is told."""

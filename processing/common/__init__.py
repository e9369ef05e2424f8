"""The code that all workloads share."""

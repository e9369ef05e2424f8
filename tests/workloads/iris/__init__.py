"""Iris: the workload that docs/workloads.md adds, and a test runs."""

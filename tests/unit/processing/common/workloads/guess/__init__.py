"""The smallest workload, without a library, for the tests of the generic jobs."""

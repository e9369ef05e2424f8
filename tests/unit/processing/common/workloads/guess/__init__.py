"""The smallest workload: what the generic jobs do is tested with it, without a library."""

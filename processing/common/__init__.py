"""What the jobs of all workloads share."""

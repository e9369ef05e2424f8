"""What runs cost: prices, the instances that a run's jobs used, estimates, and which instances would do."""

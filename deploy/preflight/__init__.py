"""What the pipeline assumes of AWS and only a real account can show: `mpg preflight`."""

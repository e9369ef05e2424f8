"""What the pipeline assumes of AWS and only a real account can show: `python -m deploy.preflight`."""

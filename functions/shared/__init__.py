"""What every Lambda needs: AWS clients, logs and metrics, text, mail, doing something once."""

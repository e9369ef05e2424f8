"""What every Lambda needs: AWS clients, logs and metrics, texts, mails, idempotence."""

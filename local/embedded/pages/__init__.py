"""The pages at `/_mpg/`, for a person with a browser: executions as graphs, metrics, alarms, the mailbox."""

"""Executions of the state machine: their names, jobs and ends, and the mails about how they ended."""

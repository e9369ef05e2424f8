"""Executions of the state machine: their names, jobs, ends, and the mails about them."""

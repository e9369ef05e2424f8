"""Executions of the state machine: uploads, names, jobs and ends, and the mails about the ends."""

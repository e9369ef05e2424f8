"""A person's decision about a model: the request, its record, its mails, and the way back to the execution."""

"""A person's decision about a model: the request, its record, its mails, the way back to the execution."""

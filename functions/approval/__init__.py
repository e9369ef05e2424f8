"""A person's decision about a model: the record, the mails, the way back to the execution."""

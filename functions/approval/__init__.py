"""A person's decision about a model: request, record, mails, and the answer to the execution."""

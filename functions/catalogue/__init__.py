"""The approved models: who may see them, which there are, and links to their files."""

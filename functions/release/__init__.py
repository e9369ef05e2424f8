"""Releases of approved models: checks and trials before, mails and the sweep after."""

"""Retraining: starts the pipeline on uploads that it accepted before."""

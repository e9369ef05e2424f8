"""Deploying the pipeline to an AWS account, and removing it again."""

"""Deploying the pipeline to an AWS account, and taking it away again."""

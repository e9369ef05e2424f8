"""Code that a request names by its S3 URI, brought to the job as the image's toolkit would fetch it."""

from __future__ import annotations

from local.sagemaker.hosts import Host
from local.sagemaker.jobs import Job


def archive_of(job: Job, host: Host, submitted: str) -> str:
    """Where the job's process on a host finds the archive with this URI; empty if it is none in S3.

    It is read with the rights of the job's role. Raises `JobFailed`.
    """
    if not submitted.startswith("s3://"):
        return ""
    path = host.container.folder / "sourcedir.tar.gz"
    path.write_bytes(job.storage.read_uri(submitted))
    return str(path)

"""Explains why S3 refuses to return a file, if its uploader is the cause, and what the uploader can do.

Of the uploader's choices in PutObject, these prevent reading the file; no other header affects reading. The
errors are documented in https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
"""

import os
import re

from botocore.exceptions import ClientError

_DELETED = "this version was deleted before it could be read. Upload the file again."
_ARCHIVED = (
    "the file has {storage_class}, an archive that cannot be read at once. Upload it anew with the storage "
    "class STANDARD."
)
_WITH_ITS_OWN_KEY = (
    "the file is encrypted with a key of its own (SSE-C), which S3 does not keep. Upload it anew without "
    "that key."
)
_UNDER_ANOTHER_KEY = (
    "the file is encrypted under a KMS key that the pipeline may not use. Upload it anew without naming "
    "a key."
)
_REASONS = {
    "NoSuchKey": _DELETED,
    "NoSuchVersion": _DELETED,
    "NoSuchBucket": _DELETED,
    "InvalidObjectState": _ARCHIVED,
    "ObjectNotInActiveTierError": _ARCHIVED,
    # The request lacks the key with which the file was uploaded.
    "InvalidRequest": _WITH_ITS_OWN_KEY,
}


def explain(error: ClientError) -> str:
    """The reason and the way out, in words for people; empty if the file is not the cause."""
    said = error.response["Error"]
    if _names_another_key(f"{said['Code']} {said.get('Message', '')}"):
        return _UNDER_ANOTHER_KEY
    named = said.get("StorageClass")
    storage_class = f"the storage class {named}" if named else "a storage class"
    return _REASONS.get(said["Code"], "").format(storage_class=storage_class)


def _names_another_key(text: str) -> bool:
    """Whether KMS refuses a key other than the bucket's own, which the uploader did not choose."""
    if not re.search(r"^KMS\.|\bkms:", text):
        return False
    own = os.environ["KMS_KEY_ARN"]
    return not own or (":key/" in text and own not in text)

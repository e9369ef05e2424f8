"""Why S3 does not hand out a file, where that is up to whoever uploaded it, and what they can do.

Of all that PutObject lets an uploader choose, these keep the file from being read; no other header changes
what is read. The errors are in https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
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
    # The request lacks the key that the file was uploaded with.
    "InvalidRequest": _WITH_ITS_OWN_KEY,
}


def explain(error: ClientError) -> str:
    """The reason and the way out, in words for a person; empty if the file is not the reason."""
    told = error.response["Error"]
    if _names_another_key(f"{told['Code']} {told.get('Message', '')}"):
        return _UNDER_ANOTHER_KEY
    named = told.get("StorageClass")
    storage_class = f"the storage class {named}" if named else "a storage class"
    return _REASONS.get(told["Code"], "").format(storage_class=storage_class)


def _names_another_key(told: str) -> bool:
    """Whether KMS refuses a key that is not the bucket's own; that one is not the uploader's problem."""
    if not re.search(r"^KMS\.|\bkms:", told):
        return False
    own = os.environ["KMS_KEY_ARN"]
    return not own or (":key/" in told and own not in told)

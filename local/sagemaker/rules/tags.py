"""Tags: what AWS refuses about their keys.

By https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html and
https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html; their number, length and characters are
in botocore's model.
"""

from __future__ import annotations

from local.sagemaker.errors import invalid
from local.sagemaker.kinds import Json
from local.sagemaker.rules.common import no_two, refuse
from local.sagemaker.store import Store

MOST_TAGS = 50


def tag_rules(request: Json, store: Store) -> None:
    """Every request with tags."""
    keys = [str(tag["Key"]) for tag in request.get("Tags", [])]
    no_two("Tag keys", keys)
    reserved = next((key for key in keys if key.lower().startswith("aws:")), None)
    refuse(reserved, invalid(f"Tag keys starting with 'aws:' are reserved for system use: {reserved}"))
    record = store.find_arn(request["ResourceArn"]) if "ResourceArn" in request else None
    if record is not None:
        refuse(
            len(record.tags.keys() | set(keys)) > MOST_TAGS,
            invalid(f"The number of tags on a resource must not exceed {MOST_TAGS}."),
        )


def version_rules(request: Json, store: Store) -> None:
    """CreateModelPackage: a version has the tags of its group.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html
    """
    refuse(
        request.get("ModelPackageGroupName") and request.get("Tags"),
        invalid("Tags cannot be specified for a versioned model package; it uses those of its group."),
    )

"""KMS: access to data under a customer's key requires permission on that key as well, as on AWS.

The emulator keeps keys with their policies, but does not check who uses them. Here, every allowed call is
followed by the checks that its service would make with KMS on the caller's behalf. For services that act
on their own, the key's policy is checked.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.embedded.iam import Questions
from local.embedded.seams.encryption import after_deployment
from local.embedded.seams.permissions import also_ask
from local.embedded.seams.roles import policy_lets, role_may

logger = logging.getLogger(__name__)

# The actions that a service requests from KMS on its caller's behalf.
# S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
# SNS: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
# SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
# DynamoDB: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
_DECRYPT, _GENERATE = "kms:Decrypt", "kms:GenerateDataKey"
_NEEDED = {
    "s3:GetObject": (_DECRYPT,),
    "s3:GetObjectVersion": (_DECRYPT,),
    "s3:PutObject": (_GENERATE,),
    "sns:Publish": (_GENERATE, _DECRYPT),
    "sqs:SendMessage": (_GENERATE, _DECRYPT),
    "sqs:ReceiveMessage": (_DECRYPT,),
    **{f"dynamodb:{verb}Item": (_DECRYPT,) for verb in ("Get", "BatchGet", "Put", "Update", "Delete")},
    "dynamodb:Query": (_DECRYPT,),
    "dynamodb:Scan": (_DECRYPT,),
}
# CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
_NEEDED_BY_LOGS = (
    "kms:Encrypt",
    _DECRYPT,
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    _GENERATE,
    "kms:DescribeKey",
)
# A multipart upload decrypts its parts to join them, in its caller's name.
_NEEDED_BY_PARTS = (_GENERATE, _DECRYPT)
_PARTS = {"uploads", "uploadId"}
# The error with which a service reports a refusal by KMS; AccessDenied if it has none of its own.
_REFUSED = {"sns": "KMSAccessDenied", "sqs": "KMS.AccessDeniedException", "dynamodb": "AccessDeniedException"}
# The name under which a service passes KMS the encrypted resource.
_ENCRYPTION_CONTEXT = {
    "s3": "aws:s3:arn",
    "sns": "aws:sns:topicArn",
    "sqs": "aws:sqs:arn",
    "logs": "aws:logs:arn",
}


@dataclass(frozen=True)
class Use:
    """One action on a key, and the conditions of its check."""

    action: str
    key: str
    context: Mapping[str, str]


def install_keys(questions: Questions) -> None:
    """Check permission on a key whenever it is used."""
    from ministack import app

    if app.AUTH:
        also_ask(_may_use_key)
        _ask_for_logs(questions)


def role_may_grant(questions: Questions) -> Callable[[str, str], bool]:
    """(role ARN, key ARN) -> whether SageMaker may create a grant on the key as the role, for a volume."""

    def may(role_arn: str, key: str) -> bool:
        from ministack import app

        via = {**_via("sagemaker"), "kms:grantisforawsresource": "true"}
        return not app.AUTH or role_may(role_arn, "kms:CreateGrant", key, questions, via)

    return may


def uses(
    action: str, resource: str, headers: Mapping[str, str] | None = None, *, in_parts: bool = False
) -> list[Use]:
    """The uses of a key by an action on a resource; none if no customer's key is involved.

    `in_parts` tells the requests of a multipart upload from PutObject, whose permission they need.
    """
    needed = _NEEDED_BY_PARTS if in_parts and action == "s3:PutObject" else _NEEDED.get(action, ())
    key = _key_of(action, resource, headers or {}) if needed else ""
    service = action.partition(":")[0]
    context = _via(service) | _context(service, resource)
    return [Use(name, key, context) for name in needed if ":key/" in key]


def _via(service: str) -> dict[str, str]:
    return {"kms:viaservice": f"{service}.us-east-1.amazonaws.com"}


def _context(service: str, resource: str) -> dict[str, str]:
    name = _ENCRYPTION_CONTEXT.get(service)
    # With a bucket key, it is the bucket, whatever the object.
    what = resource.partition("/")[0] if service == "s3" else resource
    return {f"kms:encryptioncontext:{name}".lower(): what} if name else {}


def _key_of(action: str, resource: str, headers: Mapping[str, str]) -> str:
    """The key of the resource: a key's ARN, an alias of a key that AWS manages, or "" for neither."""
    from ministack.services import dynamodb, s3, sns, sqs

    match action.partition(":")[0]:
        case "s3":
            bucket, _, name = resource.rpartition(":")[2].partition("/")
            stored = s3._buckets.get(bucket, {"objects": {}})["objects"].get(name)
            if stored and "Get" in action:
                return str(s3._stored_sse_headers(stored).get(_KEY_HEADER, ""))
            return str(
                headers.get(_KEY_HEADER) or s3._bucket_default_sse_headers(bucket).get(_KEY_HEADER, "")
            )
        case "sns":
            topic = sns._topic_by_arn_any_scope(resource) or {"attributes": {}}
            return str(topic["attributes"].get("KmsMasterKeyId", ""))
        case "sqs":
            queue = sqs._queue_by_arn(resource) or {"attributes": {}}
            return str(queue["attributes"].get("KmsMasterKeyId", ""))
        case "dynamodb":
            table = dynamodb._tables.get(resource.rpartition("/")[2]) or {}
            return str((table.get("SSEDescription") or {}).get("KMSMasterKeyArn", ""))
    return ""


_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"


def _may_use_key(ask: Callable[..., Any], action: str, service: str, region: str, resource: str) -> Any:
    from ministack.core import iam_evaluator

    signed = iam_evaluator._signed_request.get()
    in_parts = signed is not None and not _PARTS.isdisjoint(signed.query_params)
    for use in uses(action, resource, signed.headers if signed else None, in_parts=in_parts):
        refused = ask(use.action, "kms", region, use.key, use.context)
        if refused is not None:
            return iam_evaluator.AuthError(_REFUSED.get(service, "AccessDenied"), _why(refused, use))
    return None


def _why(refused: Any, use: Use) -> str:
    who = getattr(refused, "principal_arn", "") or "anonymous"
    return (
        f"User: {who} is not authorized to perform: {use.action} on resource: {use.key} "
        f"because no identity-based policy or key policy allows the {use.action} action"
    )


def service_may_use(service: str, uses: list[Use], origin: Mapping[str, str], questions: Questions) -> bool:
    """Whether the key's policy allows the service to use the key on its own behalf."""
    from ministack.services import kms

    for use in uses:
        policy, _ = kms.key_policy_for_arn(use.key) or (None, "")
        context = {**use.context, **origin}
        if not policy_lets(service, use.action, use.key, context, policy, questions):
            logger.error("The policy of %s does not let %s do %s", use.key, service, use.action)
            return False
    return True


def _ask_for_logs(questions: Questions) -> None:
    """CloudWatch Logs refuses a key for a log group unless the key's policy allows it."""

    def check(_: str, properties: Mapping[str, Any]) -> None:
        if key := properties.get("KmsKeyId"):
            arn = f"arn:aws:logs:us-east-1:{key.split(':')[4]}:log-group:{properties['LogGroupName']}"
            uses = [Use(action, key, _context("logs", arn)) for action in _NEEDED_BY_LOGS]
            if not service_may_use("logs.us-east-1.amazonaws.com", uses, {}, questions):
                raise ValueError(
                    f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'"
                )

    after_deployment("AWS::Logs::LogGroup", check)

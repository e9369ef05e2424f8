"""How a bucket, a topic and a table are encrypted: CloudFormation in the emulator leaves it out."""

from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

_ALGORITHM = "x-amz-server-side-encryption"


def install_encryption() -> None:
    """Let CloudFormation keep the encryption that a template asks for, where a Describe or Get shows it."""
    from ministack.services import dynamodb, s3, sns

    def bucket(name: str, properties: Mapping[str, Any]) -> None:
        if configuration := properties.get("BucketEncryption"):
            s3._put_bucket_encryption(name, _bucket_encryption_xml(configuration).encode())

    def topic(arn: str, properties: Mapping[str, Any]) -> None:
        sns._topics[arn]["attributes"]["KmsMasterKeyId"] = properties.get("KmsMasterKeyId", "")

    def table(name: str, properties: Mapping[str, Any]) -> None:
        given = {**properties.get("SSESpecification", {})}
        given["Enabled"] = given.pop("SSEEnabled", False)
        dynamodb._tables[name]["SSEDescription"] = dynamodb._sse_description_from_spec(given)

    s3._resolve_sse_write_headers = _with_key_of_s3(s3._resolve_sse_write_headers)
    after_deployment("AWS::S3::Bucket", bucket)
    after_deployment("AWS::SNS::Topic", topic)
    after_deployment("AWS::DynamoDB::Table", table)


def _with_key_of_s3(resolve: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Take writes under "aws:kms" that name no key, as SageMaker's library sends them: AWS has one for S3."""

    def resolved(headers: Any, bucket_name: str) -> Any:
        algorithm = headers.get(_ALGORITHM, "")
        if algorithm == "aws:kms" and not headers.get(f"{_ALGORITHM}-aws-kms-key-id"):
            return {_ALGORITHM: algorithm}, None
        return resolve(headers, bucket_name)

    return resolved


def after_deployment(kind: str, then: Callable[[str, Mapping[str, Any]], None]) -> None:
    """Call `then` with physical id and properties whenever a resource of this kind was created or updated.

    What `then` raises fails the deployment.
    """
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS
    create, update = handlers[kind]["create"], handlers[kind]["update"]

    def created(logical_id: str, properties: Any, stack_name: str, *args: Any, **kwargs: Any) -> Any:
        made = create(logical_id, properties, stack_name, *args, **kwargs)
        then(made[0], properties)
        return made

    def updated(physical_id: str, old: Any, new: Any, stack_name: str, *args: Any, **kwargs: Any) -> Any:
        made = update(physical_id, old, new, stack_name, *args, **kwargs)
        then(made[0], new)
        return made

    handlers[kind] = {**handlers[kind], "create": created, "update": updated}


def _bucket_encryption_xml(configuration: Mapping[str, Any]) -> str:
    [rule] = configuration["ServerSideEncryptionConfiguration"]
    default = rule["ServerSideEncryptionByDefault"]
    how = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in default.items())
    return (
        '<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>'
        f"<ApplyServerSideEncryptionByDefault>{how}</ApplyServerSideEncryptionByDefault>"
        f"<BucketKeyEnabled>{str(rule.get('BucketKeyEnabled', False)).lower()}</BucketKeyEnabled>"
        "</Rule></ServerSideEncryptionConfiguration>"
    )

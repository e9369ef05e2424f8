"""Verifies every request's signature, with botocore's own signer, before anything else sees the request.

By https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and, for S3,
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html: in the header or in the
query (presigned); by the account's root, users and role sessions; with bodies that are hashed, unsigned (S3
only) or signed chunk by chunk. Older and asymmetric signatures are refused.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import ReadOnlyCredentials

from local.embedded.chunks import chunks_match

# How far a request's date may be from now, and how long a presigned URL may be valid.
SKEW = timedelta(minutes=15)
LONGEST = timedelta(days=7)

_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(
    rf"{_ALGORITHM} +Credential=([^ ,]+), *SignedHeaders=([^ ,]+), *Signature=([0-9a-f]{{64}})"
)
_IN_QUERY = {
    "awsaccesskeyid",
    *(f"x-amz-{name}" for name in ("algorithm", "credential", "date", "expires", "security-token")),
    *("x-amz-signature", "x-amz-signedheaders"),
}
_UNSIGNED = "UNSIGNED-PAYLOAD"
_CHUNKED = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
_UNHASHED = (_UNSIGNED, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", *_CHUNKED)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)

# Access key and session token -> secret access key; raises Refused.
SecretOf = Callable[[str, str], str]


class Refused(Exception):
    """The request is refused: the code, by its name in the JSON services, and the message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Received:
    """A request as received, except for the case of its headers' names."""

    method: str
    raw_path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The header's value; several values are joined, as in the signature."""
        return ",".join(value for each, value in self.headers if each == name)


@dataclass(frozen=True)
class Signature:
    """What a request says about its signature."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str
    lifetime: timedelta | None = None
    """Lifetime of a presigned URL; None for a signature in the header."""


def is_signed(request: Received) -> bool:
    """Whether the request has credentials of any kind."""
    query = {name.lower() for name, _ in _query(request)}
    return bool(request.header("authorization") or query.intersection(_IN_QUERY))


def verify(request: Received, secret_of: SecretOf, now: datetime) -> None:
    """Raises Refused unless the caller that the request names has signed all of it, just now."""
    found = _read(request)
    _check_time(found, now)
    payload = _payload_hash(request, found)
    secret = secret_of(found.access_key, found.token)
    signer_type: Any = _S3Signer if found.service == "s3" else _Signer
    signer = signer_type(ReadOnlyCredentials(found.access_key, secret, None), found.service, found.region)
    signed = _as_signed(request, found, payload)

    def sign(lines: list[str]) -> str:
        text = [lines[0], found.timestamp, signer.credential_scope(signed), *lines[1:]]
        return str(signer.signature("\n".join(text), signed))

    canonical = hashlib.sha256(signer.canonical_request(signed).encode()).hexdigest()
    matches = hmac.compare_digest(sign([_ALGORITHM, canonical]).encode(), found.signature.encode())
    if matches and payload in _CHUNKED:
        matches = chunks_match(request.body, found.signature, sign, trailer=payload.endswith("-TRAILER"))
    if not matches:
        raise Refused("SignatureDoesNotMatch", _MISMATCH)


def _as_signed(request: Received, found: Signature, payload: str) -> AWSRequest:
    """The request as it was when its sender signed it."""
    query: Any = [(name, value) for name, value in _query(request) if name != "X-Amz-Signature"]
    signed = AWSRequest(
        method=request.method,
        url=f"http://host{request.raw_path}",
        params=query,
        headers={"X-Amz-Content-SHA256": payload},
    )
    signed.context.update(timestamp=found.timestamp, signed_headers=_signed_headers(request, found))
    return signed


class _AsSigned:
    """Uses the headers that the client has signed instead of those that botocore would sign."""

    def headers_to_sign(self, request: Any) -> Any:
        return request.context["signed_headers"]


class _Signer(_AsSigned, SigV4Auth):
    pass


class _S3Signer(_AsSigned, S3SigV4Auth):
    pass


def _read(request: Received) -> Signature:
    names = [name.lower() for name, _ in _query(request) if name.lower() in _IN_QUERY]
    authorization = request.header("authorization")
    if len(set(names)) < len(names) or (names and authorization):
        raise Refused("IncompleteSignature", "A request must be signed once, in its header or in its query.")
    found = _in_header(request, authorization) if authorization else _in_query(dict(_query(request)))
    if not (found.date and found.timestamp):
        raise Refused("IncompleteSignature", "Credential or X-Amz-Date is missing or incomplete.")
    return found


def _in_header(request: Received, authorization: str) -> Signature:
    match = _HEADER.fullmatch(authorization)
    if match is None:
        raise _unreadable(authorization.partition(" ")[0])
    credential, signed_headers, signature = match.groups()
    return Signature(
        *_scope(credential),
        signed_headers=tuple(signed_headers.split(";")),
        signature=signature,
        timestamp=request.header("x-amz-date"),
        token=request.header("x-amz-security-token"),
    )


def _in_query(query: Mapping[str, str]) -> Signature:
    algorithm, seconds = query.get("X-Amz-Algorithm", "AWS"), query.get("X-Amz-Expires", "")
    if algorithm != _ALGORITHM or not re.fullmatch(r"[0-9]{1,6}", seconds):
        raise _unreadable(algorithm)
    return Signature(
        *_scope(query.get("X-Amz-Credential", "")),
        signed_headers=tuple(query.get("X-Amz-SignedHeaders", "").split(";")),
        signature=query.get("X-Amz-Signature", ""),
        timestamp=query.get("X-Amz-Date", ""),
        token=query.get("X-Amz-Security-Token", ""),
        lifetime=timedelta(seconds=int(seconds)),
    )


def _scope(credential: str) -> tuple[str, str, str, str]:
    """Access key, date, region and service; all empty if one is missing."""
    match credential.split("/"):
        case [access_key, date, region, service, "aws4_request"]:
            return access_key, date, region, service
    return "", "", "", ""


def _unreadable(algorithm: str) -> Refused:
    if algorithm != _ALGORITHM:
        return Refused("UnsupportedSignature", f"Unsupported AWS 'algorithm': '{algorithm}'.")
    return Refused("IncompleteSignature", "Credential, SignedHeaders, Signature or X-Amz-Expires is missing.")


def _check_time(found: Signature, now: datetime) -> None:
    try:
        at = datetime.strptime(found.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused("IncompleteSignature", "X-Amz-Date is not a date.") from None
    if found.date != found.timestamp[:8]:
        raise Refused("CredentialDateMismatch", "The date in Credential differs from X-Amz-Date.")
    if at > now + SKEW:
        raise Refused("RequestTimeTooSkewed", f"Signature not yet current: {found.timestamp}")
    if found.lifetime is None and at < now - SKEW:
        raise Refused("RequestTimeTooSkewed", f"Signature expired: {found.timestamp}")
    if found.lifetime is not None and (found.lifetime > LONGEST or now >= at + found.lifetime):
        raise Refused("RequestExpired", f"Signature expired: {found.timestamp}")


def _signed_headers(request: Received, found: Signature) -> Any:
    """The headers that were signed. Those that determine the operation must be among them."""
    binding = {name for name, _ in request.headers if name == "host" or name.startswith("x-amz-")}
    if not binding <= set(found.signed_headers):
        raise Refused("SignatureDoesNotMatch", "A Host or x-amz-* header is not signed.")
    headers: Any = HTTPHeaders()
    for name, value in request.headers:
        if name in found.signed_headers:
            headers[name] = value
    return headers


def _payload_hash(request: Received, found: Signature) -> str:
    declared = request.header("x-amz-content-sha256")
    if found.service == "s3" and found.lifetime is not None and not declared:
        return _UNSIGNED
    if found.service == "s3" and declared in _UNHASHED:
        return declared
    actual = hashlib.sha256(request.body).hexdigest()
    if declared and declared != actual:
        raise Refused(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    return actual


def _query(request: Received) -> list[tuple[str, str]]:
    return parse_qsl(request.query, keep_blank_values=True)

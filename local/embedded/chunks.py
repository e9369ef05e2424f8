"""Bodies that are signed chunk by chunk, as SDKs do when they upload streams to S3.

By https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and, for the trailing headers,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

import hashlib
import hmac
import re
from collections.abc import Callable

_NOTHING = hashlib.sha256(b"").hexdigest()


# Signs a text, given as its lines without date and scope, which follow the first line.
Sign = Callable[[list[str]], str]


def chunks_match(body: bytes, seed: str, sign: Sign, *, trailer: bool) -> bool:
    """Whether each chunk's signature follows from the previous one, and the first from `seed`."""
    previous, start = seed, 0
    while (end := body.find(b"\r\n", start)) >= 0:
        size, _, given = body[start:end].decode("latin-1").partition(";chunk-signature=")
        if not re.fullmatch("[0-9a-fA-F]{1,16}", size):
            return False
        length = int(size, 16)
        chunk = body[end + 2 : end + 2 + length]
        digest = hashlib.sha256(chunk).hexdigest()
        previous = sign(["AWS4-HMAC-SHA256-PAYLOAD", previous, _NOTHING, digest])
        if not hmac.compare_digest(previous.encode(), given.encode()):
            return False
        if length == 0:
            rest = body[end + 2 :].strip()
            return _trailer_matches(rest, previous, sign) if trailer else not rest
        start = end + 2 + length + 2
    return False


def _trailer_matches(trailer: bytes, previous: str, sign: Sign) -> bool:
    *headers, last = trailer.decode("latin-1").split("\r\n")
    name, _, given = last.partition(":")
    text = "".join(f"{':'.join(part.strip() for part in line.split(':', 1))}\n" for line in headers)
    signed = sign(["AWS4-HMAC-SHA256-TRAILER", previous, hashlib.sha256(text.encode()).hexdigest()])
    if name.lower() != "x-amz-trailer-signature":
        return False
    return hmac.compare_digest(signed.encode(), given.strip().encode())

"""CORS of a bucket for the pages of Function URLs, which have another origin here than on AWS.

A bucket's rules name the origins of AWS, `https://<id>.lambda-url.<region>.on.aws`. A page here has the
same id under .localhost. The emulator checks the rules as S3 does; here, it is told the page's origin on AWS.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_LOCAL = re.compile(r"http://([a-z0-9]{32}\.lambda-url\.[a-z0-9-]+)\.localhost:\d+")
_ALLOWED = "Access-Control-Allow-Origin"


def install_cors() -> None:
    """Let a bucket's CORS rules be about a page's origin on AWS."""
    from ministack.services import s3

    original = s3._cors_answer

    def cors_answer(
        rules: Sequence[Mapping[str, Any]], origin: str, method: str, request_headers: Sequence[str]
    ) -> Any:
        page = _LOCAL.fullmatch(origin)
        if page is None:
            return original(rules, origin, method, request_headers)
        answer = original(rules, f"https://{page[1]}.on.aws", method, request_headers)
        if answer and answer[_ALLOWED] != "*":
            answer[_ALLOWED] = origin
        return answer

    s3._cors_answer = cors_answer

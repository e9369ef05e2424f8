"""Whose signatures the emulator accepts, and what it serves without one."""

import os
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from local.embedded.doors import answers_cloudformation
from local.embedded.signatures import Refused

_ACCOUNT = "000000000000"


def secret_of(access_key: str, token: str) -> str:
    """The secret access key of the root, a user or a role session. Raises Refused."""
    from ministack.core import iam_evaluator

    unknown = Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
    # The emulator also accepts every account number as the root of that account.
    if iam_evaluator.is_root_access_key(access_key) and access_key != os.environ["AWS_ACCESS_KEY_ID"]:
        raise unknown
    found = iam_evaluator.resolve_credential(access_key, _ACCOUNT, token)
    if isinstance(found, iam_evaluator.ResolvedCredential):
        return str(found.secret_access_key)
    # On AWS, the key of a session is invalid without the token.
    raise unknown if found.code == "InvalidToken" and not token else Refused(found.code, found.message)


def is_public(scope: Mapping[str, Any]) -> bool:
    """Whether anybody may send this request: to a Function URL, or to CloudFormation's ResponseURL."""
    from ministack import app

    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    if named := app._LAMBDA_URL_RE.match(host):
        _, conditions, _ = app._function_url_auth_target(named[1])
        return bool(conditions.get("lambda:FunctionUrlAuthType") != "AWS_IAM")
    return answers_cloudformation(scope)


def unauthenticated(code: str, message: str, scope: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """A failed authentication, in the protocol and the words of the service that was called."""
    from ministack import app
    from ministack.core import iam_evaluator, router

    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode("latin-1"))
    is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    # The signature names the service. Services that take forms use the same words without a signature.
    unnamed = is_form and "authorization" not in headers
    service = "sts" if unnamed else router.detect_service(scope["method"], scope["path"], headers, query)
    failed = iam_evaluator.AuthError(code, message)
    response: tuple[int, dict[str, str], bytes]
    response = app._credential_failure(service, "", str(uuid.uuid4()), failed, headers)
    return response


def install_function_urls() -> None:
    """Let the host of a Function URL answer only for its function, whatever the path.

    Some services of the emulator check only the path, and would answer anybody there.
    """
    from ministack import app

    original, before, after = (
        app._handle_special_data_plane_request,
        app._handle_pre_body_request,
        app._handle_post_body_shortcuts,
    )

    def is_function_url(headers: Mapping[str, str]) -> bool:
        return app._LAMBDA_URL_RE.match(headers.get("host", "")) is not None

    async def special(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: Any,
        *rest: Any,
        **named: Any,
    ) -> Any:
        if not is_function_url(headers):
            return await original(method, path, headers, body, query_params, *rest, **named)
        answer = await app._handle_lambda_url_request(
            headers["host"], path, method, headers, body, query_params
        )
        # Never passed on to the other services.
        return answer or (403, {}, b"")

    async def pre_body(method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        return None if is_function_url(headers) else await before(method, path, headers, *rest)

    async def post_body(method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        return None if is_function_url(headers) else await after(method, path, headers, *rest)

    app._handle_special_data_plane_request = special
    app._handle_pre_body_request, app._handle_post_body_shortcuts = pre_body, post_body

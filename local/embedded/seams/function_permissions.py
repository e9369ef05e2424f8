"""Which action and which resource a request to Lambda needs, where the emulator names another one.

By https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html and
https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_ALIAS = re.compile(r"/2015-03-31/functions/[^/]+/aliases/[^/]+")
_OF_ALIAS = {"GET": "GetAlias", "PUT": "UpdateAlias", "DELETE": "DeleteAlias"}
# What may be asked of a version or an alias alone. Other calls need the function's own ARN.
_QUALIFIED = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)(?:/(?:invocations|configuration))?")


def install_function_permissions() -> None:
    """Name the actions of aliases, and a version or an alias as the resource of a call that names it."""
    from ministack.core import iam_actions

    action_of, resource_of = iam_actions.extract_iam_action, iam_actions.extract_resource_arn

    def action(service: str, method: str, path: str, *rest: Any) -> Any:
        if service == "lambda" and _ALIAS.fullmatch(path) and method in _OF_ALIAS:
            return f"lambda:{_OF_ALIAS[method]}"
        return action_of(service, method, path, *rest)

    def resource(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query: Mapping[str, Any],
        *place: str,
    ) -> Any:
        found = resource_of(service, method, path, headers, body, query, *place)
        asked = query.get("Qualifier") or ""
        qualifier = str(asked[0] if isinstance(asked, list) else asked)
        named = _QUALIFIED.fullmatch(path) if service == "lambda" and qualifier else None
        return f"{found}:{qualifier}" if named and _is_unqualified(unquote(named["name"])) else found

    iam_actions.extract_iam_action, iam_actions.extract_resource_arn = action, resource


def _is_unqualified(reference: str) -> bool:
    return ":" not in (reference.partition(":function:")[2] or reference)

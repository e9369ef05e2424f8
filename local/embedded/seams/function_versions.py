"""Versions and aliases of functions, as strict as on AWS; requests of clients only, not of CloudFormation.

By https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html, .../API_UpdateAlias.html and
.../API_UpdateFunctionConfiguration.html,
https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html and .../configuring-alias-routing.html.
"""

import json
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from local.embedded.seams.metrics import publish_metrics

_FUNCTION = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/(?P<call>[a-z-]+)(?:/(?P<rest>[^/]+))?")
_CHANGES = {("PUT", "configuration"), ("PUT", "code"), ("POST", "versions")}
_Answer = tuple[int, dict[str, str], bytes]


def install_function_versions() -> None:
    """Refuse changes during an update and wrong aliases, and let aliases route by weight."""
    from ministack.services import lambda_svc

    original = lambda_svc.handle_request

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        found = _FUNCTION.fullmatch(unquote(path))
        function = lambda_svc._functions.get(_name(found["name"])) if found else None
        if not found or not function:
            return await original(method, path, headers, body, query)
        if refusal := _refusal(method, found, function, body):
            return refusal
        if method == "POST" and found["call"] == "invocations":
            alias, version = _routed(function, found, query)
            if version:
                chosen = f"/2015-03-31/functions/{_name(found['name'])}:{version}/invocations"
                answer = await original(method, chosen, headers, body, {})
                _measure(_name(found["name"]), alias, version, answer)
                return answer
        return await original(method, path, headers, body, query)

    lambda_svc.handle_request = handle


def _name(reference: str) -> str:
    """The function's name in a name, a partial or a whole ARN, with or without a qualifier."""
    return reference.partition(":function:")[2].partition(":")[0] or reference.partition(":")[0]


def _qualifier(reference: str, query: Mapping[str, Any]) -> str:
    asked = query.get("Qualifier") or ""
    name = reference.partition(":function:")[2] or reference
    return name.partition(":")[2] or str(asked[0] if isinstance(asked, list) else asked)


def _refusal(method: str, found: re.Match[str], function: Mapping[str, Any], body: bytes) -> _Answer | None:
    config, data = function["config"], _json(body)
    if (method, found["call"]) in _CHANGES and not found["rest"]:
        if config.get("LastUpdateStatus") == "InProgress" or config.get("State") == "Pending":
            arn = config["FunctionArn"]
            return _error(
                "ResourceConflictException",
                "The operation cannot be performed at this time. An update is in progress for resource: "
                f"{arn}",
                409,
            )
        if found["call"] == "versions":
            return _publish_refusal(config, data)
    if found["call"] == "aliases" and method in {"POST", "PUT"}:
        return _alias_refusal(function, found["rest"], data)
    return None


def _publish_refusal(config: Mapping[str, Any], data: Mapping[str, Any]) -> _Answer | None:
    if data.get("RevisionId") not in (None, "", config.get("RevisionId")):
        return _error(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunctionConfiguration or the GetAlias API to retrieve the latest Revision Id",
            412,
        )
    if data.get("CodeSha256") not in (None, "", config.get("CodeSha256")):
        return _error(
            "InvalidParameterValueException",
            f"CodeSHA256 ({data['CodeSha256']}) is different from current CodeSHA256 in $LATEST "
            f"({config['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST.",
            400,
        )
    return None


def _alias_refusal(function: Mapping[str, Any], alias: str | None, data: Mapping[str, Any]) -> _Answer | None:
    arn, versions = function["config"]["FunctionArn"], function["versions"]
    current = function["aliases"].get(alias, {}).get("FunctionVersion") if alias else None
    version = str(data.get("FunctionVersion") or current or "")
    weights = (data.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    for asked in filter(None, (version, *weights)):
        if asked not in versions and (asked != "$LATEST" or weights):
            return _error("ResourceNotFoundException", f"Function not found: {arn}:{asked}", 404)
    if len(weights) > 1:
        return _invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if any(isinstance(weight, bool) or not 0 <= weight <= 1 for weight in weights.values()):
        return _invalid("Value of AdditionalVersionWeights should be between 0.0 and 1.0")
    if version in weights:
        return _invalid("Invalid function version in AdditionalVersionWeights: it is the alias's own")
    return None


def _routed(function: Mapping[str, Any], found: re.Match[str], query: Mapping[str, Any]) -> tuple[str, str]:
    """The alias that a request names and the version that answers it; empty for no alias."""
    alias = _qualifier(found["name"], query)
    known = function["aliases"].get(alias)
    if not known:
        return "", ""
    weights = (known.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    for version, weight in weights.items():
        if random.random() < weight:  # noqa: S311 - no secret
            return alias, str(version)
    return alias, str(known["FunctionVersion"])


def _measure(name: str, alias: str, version: str, answer: _Answer) -> None:
    """The metrics of a version behind an alias, which the emulator has of the function only."""
    failed = any(header.lower() == "x-amz-function-error" for header in answer[1])
    dimensions = {"FunctionName": name, "Resource": f"{name}:{alias}", "ExecutedVersion": version}
    publish_metrics(
        "AWS/Lambda",
        [
            {
                "MetricName": metric,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                "Timestamp": datetime.now(UTC),
                "Value": value,
                "Unit": "Count",
            }
            for metric, value in (("Invocations", 1.0), ("Errors", float(failed)))
        ],
    )


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _invalid(message: str) -> _Answer:
    return _error("InvalidParameterValueException", message, 400)


def _error(code: str, message: str, status: int) -> _Answer:
    body = {"Type": "User", "Message": message, "__type": code}
    headers = {"Content-Type": "application/json", "x-amzn-errortype": code}
    return status, headers, json.dumps(body).encode()

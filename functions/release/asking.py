"""Sends the rows of a smoke test to what answers: an endpoint of SageMaker, or a version of the function."""

import json
from collections.abc import Callable

from botocore.exceptions import ClientError

from common.evaluation import SmokeTest
from release.comparing import SmokeTestFailed
from shared.aws import client, error_code
from shared.text import one_line

Ask = Callable[[str, SmokeTest], str]

# SageMaker gives a model 60 seconds to answer; so does the function's own limit.
_READ_SECONDS = 65
# The errors by which an endpoint says that a request, or the model, is at fault; any other is tried again.
_ANSWERED = {"ModelError", "ValidationError"}


def ask_endpoint(name: str, test: SmokeTest) -> str:
    """The answer of an endpoint of SageMaker. Raises SmokeTestFailed if it refuses the rows."""
    try:
        answer = client("sagemaker-runtime", read_timeout=_READ_SECONDS).invoke_endpoint(
            EndpointName=name,
            ContentType=test.content_type,
            Accept=test.accept,
            Body=test.request.encode(),
        )
        body: bytes = answer["Body"].read()
    except ClientError as error:
        if error_code(error) not in _ANSWERED:
            raise
        said = error.response.get("OriginalMessage") or error.response["Error"].get("Message", "")
        raise _refused(str(said)) from None
    return body.decode("utf-8", errors="replace")


def ask_function(name: str, test: SmokeTest) -> str:
    """The answer of a function's version, named `<function>:<version>`. Raises SmokeTestFailed."""
    function, _, qualifier = name.partition(":")
    request = {"content_type": test.content_type, "accept": test.accept, "body": test.request}
    given = client("lambda", read_timeout=_READ_SECONDS).invoke(
        FunctionName=function, Qualifier=qualifier, Payload=json.dumps(request).encode()
    )
    answer = json.loads(given["Payload"].read())
    if "FunctionError" in given:
        raise _refused(str(answer.get("errorMessage") or "it failed; its log says why"))
    if answer["status"] != 200:
        raise _refused(str(answer["error"]))
    return str(answer["body"])


def _refused(said: str) -> SmokeTestFailed:
    return SmokeTestFailed(f"The endpoint refused the smoke test: {one_line(said, 300)}")

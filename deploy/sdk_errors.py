"""Errors of the AWS SDK, described so that a person can fix them, and how a command ends with one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as sdk
from botocore.exceptions import BotoCoreError, ClientError

from deploy.problems import Trouble

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"}


@contextmanager
def exit_with_message() -> Iterator[None]:
    """End the program with a message instead of a traceback: exit code 2 for trouble, 130 for Ctrl-C."""
    try:
        yield
    except Trouble as trouble:
        _leave(str(trouble))
    except (ClientError, BotoCoreError) as error:
        _leave(explain(error))
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        sys.exit(130)


def explain(error: ClientError | BotoCoreError) -> str:
    """What an error of the AWS SDK means for a person, and the way out."""
    match error:
        case sdk.NoCredentialsError() | sdk.CredentialRetrievalError():
            return "No AWS credentials found. Run `aws configure` or `aws sso login`, or set AWS_PROFILE."
        case sdk.SSOError():
            return f"The AWS login has expired ({error}). Run `aws sso login`."
        case sdk.ProfileNotFound():
            return f"{error}. `aws configure list-profiles` lists those that exist; AWS_PROFILE chooses one."
        case sdk.NoRegionError():
            return "No AWS region chosen. Set AWS_DEFAULT_REGION, for example to us-east-1."
        case sdk.ConnectionError():
            return f"AWS cannot be reached: {error}"
        case ClientError():
            return _explain_answer(error)
    return f"The AWS SDK failed: {error}"


def _explain_answer(error: ClientError) -> str:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _EXPIRED:
        return "The AWS credentials have expired. Log in again (`aws sso login`)."
    if code in _UNKNOWN:
        return f"AWS does not accept the credentials ({code}). Check AWS_PROFILE and `aws configure list`."
    if code.startswith(("AccessDenied", "UnauthorizedOperation")):
        return f"The credentials may not call {error.operation_name}: {message}"
    return f"{error.operation_name} failed with {code}: {message}"


def _leave(message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(2)

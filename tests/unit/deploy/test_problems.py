"""Errors of the AWS SDK, explained to a person."""

import pytest
from botocore import exceptions as sdk
from botocore.exceptions import ClientError

from deploy.problems import Trouble
from deploy.sdk_errors import exit_with_message, explain


def answer(code: str, message: str = "said") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DeleteStack")


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        (sdk.NoCredentialsError(), "aws configure"),
        (sdk.NoRegionError(), "AWS_DEFAULT_REGION"),
        (sdk.ProfileNotFound(profile="work"), "AWS_PROFILE"),
        (sdk.SSOTokenLoadError(error_msg="expired"), "aws sso login"),
        (sdk.EndpointConnectionError(endpoint_url="https://x.example"), "https://x.example"),
        (answer("ExpiredToken"), "Log in again"),
        (answer("InvalidClientTokenId"), "AWS_PROFILE"),
        (answer("AccessDenied", "not for you"), "may not call DeleteStack: not for you"),
        (
            answer("ThrottlingException", "slow down"),
            "DeleteStack failed with ThrottlingException: slow down",
        ),
        (sdk.DataNotFoundError(data_path="x"), "x"),
    ],
)
def test_a_person_is_told_what_to_do(error: ClientError | sdk.BotoCoreError, way_out: str) -> None:
    assert way_out in explain(error)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (Trouble("No such stack", "Name another."), 2, "No such stack. Name another.\n"),
        (sdk.NoRegionError(), 2, "No AWS region chosen"),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_the_program_ends_with_a_message_and_no_traceback(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left, exit_with_message():
        raise error
    assert left.value.code == code
    assert text in capsys.readouterr().err


def test_a_mistake_in_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), exit_with_message():
        1 / 0  # noqa: B018

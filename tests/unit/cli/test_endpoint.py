import socket

import pytest

from deploy.problems import Trouble
from local.cli import endpoint
from local.cli.endpoint import Endpoint, connected


def test_an_embedded_aws_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_aws = Endpoint(silent.getsockname()[1], "secret")
        with pytest.raises(Trouble, match="stopped answering"), connected(silent_aws):
            silent_aws.notes()

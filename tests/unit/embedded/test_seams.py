"""The emulator still has the private names that are used."""

import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from importlib.metadata import version
from pathlib import Path
from threading import Event

import pytest

from local.embedded import seams
from local.embedded.seams import names
from local.embedded.seams.unused import later
from tests.conftest import ROOT


def test_the_installed_ministack_has_every_name_that_is_used() -> None:
    # Other tests replace some of them in this process.
    check = [sys.executable, "-c", "from local.embedded import seams; print(seams.check())"]
    assert subprocess.run(check, capture_output=True, text=True, check=True, cwd=ROOT).stdout == "[]\n"


def test_the_emulator_has_no_models_of_its_own() -> None:
    # Other tests need the emulator as it is.
    script = """
from local.embedded import seams
from local.sagemaker.models import description, service_model
seams.install_models()
from ministack.core import iam_actions, responses
from ministack.services import stepfunctions
assert responses._service_model("states") is service_model("stepfunctions")
assert stepfunctions._service_model("sagemaker") is service_model("sagemaker")
assert iam_actions._load_botocore_model("s3") is description("s3")
assert responses._service_model("nothing") is None and iam_actions._load_botocore_model("nothing") == {}
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_services_that_are_not_used_are_read_when_they_are_asked(tmp_path: Path) -> None:
    # Other tests need the emulator as it is.
    script = """
import sys, yaml
from pathlib import Path
from local.embedded import seams
seams.configure(4566, Path(sys.argv[1]), "secret")
seams.skip_unused()
from ministack.services.cloudformation import engine
assert issubclass(engine.CfnLoader, yaml.CSafeLoader)
from ministack.services import cognito
assert not any(name in vars(cognito) for name in ("handle_request", "reset")) and not hasattr(cognito, "__path__")
assert not {"docker.api", "paramiko"} & sys.modules.keys()
assert not hasattr(cognito, "nothing")
assert cognito.handle_request and cognito.handle_request.__globals__ is vars(cognito)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, cwd=ROOT)


def test_whoever_asks_a_module_that_is_just_being_imported_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_late.py").write_text("import __main__\n__main__.gate()\nanswer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    module, begun, go_on = later("imported_late"), Event(), Event()

    def gate() -> None:
        assert not hasattr(module, "answer")
        begun.set()
        go_on.wait(60)

    monkeypatch.setattr(sys.modules["__main__"], "gate", gate, raising=False)
    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(lambda: module.answer)]
        begun.wait(60)
        answers.append(threads.submit(lambda: module.answer))
        early = wait(answers, 0.1, FIRST_COMPLETED).done
        go_on.set()
        assert not early
        assert [answer.result(60) for answer in answers] == [42, 42]


def test_the_installed_ministack_is_the_tested_version() -> None:
    assert version("ministack") == seams.MINISTACK_VERSION


def test_a_moved_name_is_reported_with_the_file_to_adapt(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = (("services.sns", "_fan_out", None), ("services.sns", "_subscribe", ("request",)))
    monkeypatch.setattr(names, "SEAMS", moved)
    assert seams.check() == [
        "ministack.services.sns._fan_out is gone: local/embedded/seams must be adapted.",
        "ministack.services.sns._subscribe no longer takes request.",
    ]

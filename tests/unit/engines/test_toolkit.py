"""The toolkits run training scripts in real processes; tests that need PyTorch are in `test_pytorch`."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.sagemaker.engines.images import find_image
from local.sagemaker.engines.processes import Command, Exit, WarmWorkers
from tests.unit.engines.test_toolkit_settings import write_config

if TYPE_CHECKING:
    from tests.unit.engines.conftest import Run, Runner

pytestmark = pytest.mark.enable_socket

OK, FAILED = Exit(0, "exited"), Exit(1, "exited")
REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
SKLEARN, XGBOOST = "sagemaker-scikit-learn:1.9-0-cpu-py3", "sagemaker-xgboost:3.2-0"
SCRIPT = """
import os, pathlib, sys
print("arguments", sys.argv[1:])
print("in", pathlib.Path.cwd().name, "path", pathlib.Path(sys.path[0]).name, pathlib.Path(sys.path[1]).name)
assert os.environ["PYTHONPATH"].split(":")[0].endswith("/code")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model").write_text("trees")
"""


class Training:
    """One training job's /opt/ml, with its code as a channel."""

    def __init__(self, runner: Runner, folder: Path) -> None:
        self.runner = runner
        self.root = folder / "ml"
        self.code = self.root / "input/data/code"
        self.code.mkdir(parents=True)
        for name in ("model", "output/data"):
            (self.root / name).mkdir(parents=True)

    def run(
        self,
        files: dict[str, str],
        program: str,
        *,
        image: str = SKLEARN,
        archive: str = "",
        toolkit: str = "",
        env: dict[str, str] | None = None,
        **hyperparameters: str,
    ) -> Run:
        for name, text in files.items():
            (self.code / name).parent.mkdir(parents=True, exist_ok=True)
            (self.code / name).write_text(text)
        given = {"sagemaker_submit_directory": "/opt/ml/input/data/code", "sagemaker_program": program}
        write_config(self.root, given | hyperparameters, "code")
        found = find_image(f"{REGISTRY}/{image}", "us-east-1")
        assert found.script is not None
        program_of = (*found.script[:-1], toolkit) if toolkit else found.script
        argv = (*program_of, str(self.root), archive, "isolated")
        return self.runner.spawn(Command(argv, env or {}, self.root, found.hidden_modules))

    @property
    def failure(self) -> str:
        return (self.root / "output/failure").read_text()


@pytest.fixture
def training(runner: Runner, tmp_path: Path) -> Training:
    return Training(runner, tmp_path)


def test_a_script_in_a_folder_finds_the_folders_siblings(training: Training) -> None:
    files = {
        "digits/train.py": f"from digits.model import SIZE\nfrom common.rows import COUNT\n{SCRIPT}\nprint(SIZE, COUNT)",
        "digits/model.py": "SIZE = 3",
        "common/rows.py": "COUNT = 4",
    }
    run = training.run(files, "digits/train.py", lr="0.1", name="$(id) ;x")

    assert run.wait() == OK, run.lines
    assert "arguments ['--lr', '0.1', '--name', '$(id) ;x']" in run.lines
    assert "in code path digits code" in run.lines
    assert run.lines[-1] == "3 4"
    assert (training.root / "model/model").read_text() == "trees"


def test_the_emulator_cannot_be_imported(training: Training) -> None:
    run = training.run({"train.py": "import local.sagemaker"}, "train.py")

    assert run.wait() == FAILED
    assert "ModuleNotFoundError: No module named 'local'" in run.lines


@pytest.mark.parametrize(
    ("toolkit", "script", "message"),
    [
        (
            "sagemaker_training",
            "raise SystemExit(3)",
            'ExitCode 3\nErrorMessage ""\nCommand "python3 train.py"',
        ),
        (
            "sagemaker_pytorch_training",
            "print('epoch 1')\nraise ValueError('too few rows')",
            "ExitCode 1\nErrorMessage \"raise ValueError('too few rows')\n ValueError: too few rows\"\n",
        ),
        ("sagemaker_pytorch_training", "import os\nos.kill(os.getpid(), 9)", "ExitCode 137\n"),
    ],
)
def test_a_script_that_fails_leaves_the_toolkits_text(
    training: Training, toolkit: str, script: str, message: str
) -> None:
    run = training.run({"train.py": script}, "train.py", toolkit=toolkit)

    assert run.wait() == FAILED
    assert training.failure.startswith("ExecuteUserScriptError:\n")
    assert message in training.failure


def test_a_failure_that_the_script_wrote_stays(training: Training) -> None:
    script = "import pathlib, sys\npathlib.Path(sys.argv[2]).write_text('mine')\nsys.exit(1)"
    run = training.run({"train.py": script}, "train.py", where=str(training.root / "output/failure"))

    assert run.wait() == FAILED
    assert training.failure == "mine"


def test_a_shell_interprets_arguments_and_the_log_warns_about_it(
    training: Training,
) -> None:
    script = "import sys\nprint('got', sys.argv[1:])"
    run = training.run(
        {"train.py": script}, "train.py", toolkit="sagemaker_pytorch_training", name="a b; echo hostile"
    )

    assert run.wait() == OK, run.lines
    assert "got ['--name', 'a', 'b']" in run.lines
    assert "hostile" in run.lines
    assert any("through a shell" in line for line in run.lines)


def test_a_shell_script_is_run_by_a_shell(training: Training) -> None:
    run = training.run({"train.sh": 'echo "$1" "$2"\n'}, "train.sh", name="a b")

    assert run.wait() == OK, run.lines
    assert run.lines[-1] == "--name a b"


def test_without_namespaces_the_jobs_folder_replaces_opt_ml(training: Training) -> None:
    hyperparameters = {
        "sagemaker_submit_directory": "/opt/ml/input/data/code",
        "sagemaker_program": "train.py",
    }
    write_config(training.root, hyperparameters, "code")
    (training.code / "train.py").write_text(SCRIPT)
    script = find_image(f"{REGISTRY}/{SKLEARN}", "us-east-1").script
    assert script is not None
    argv = (*script, "/opt/ml", "", "isolated")
    command = Command(argv, {}, Path("/opt/ml"), frozenset({"local"}), folder=training.root.parent)
    lines: list[str] = []
    workers = WarmWorkers(preload=(), namespaces=False)
    ended = workers.spawn(command, on_line=lines.append).wait()
    workers.close()

    assert ended == OK, lines
    assert (training.root / "model/model").read_text() == "trees"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("../train.py", "sagemaker_program ../train.py is not in the code folder."),
        ("/etc/hostname", "sagemaker_program /etc/hostname is not in the code folder."),
        ("missing.py", "ExitCode 2"),
        ("missing.sh", "No such file"),
        ("", "no script is named"),
    ],
)
def test_a_script_that_is_not_in_the_code_is_refused(training: Training, program: str, reason: str) -> None:
    (training.root / "train.py").write_text("print('outside')")
    run = training.run({"train.py": "print('inside')"}, program)

    assert run.wait().code not in (0, None)
    assert not {"outside", "inside"} & set(run.lines)
    assert reason in training.failure
    assert "Traceback" not in training.failure


def test_requirements_that_are_in_the_image_are_met_and_others_fail(
    training: Training, tmp_path: Path
) -> None:
    other = Training(training.runner, tmp_path / "other")
    met = training.run({"train.py": "print('ran')", "requirements.txt": "numpy\n"}, "train.py")
    missing = other.run({"train.py": "print('ran')", "requirements.txt": "no-such-thing\n"}, "train.py")

    assert met.wait() == OK, met.lines
    assert met.lines[-1] == "ran"
    assert missing.wait() == FAILED
    assert other.failure.startswith("InstallRequirementsError:\nExitCode 1\n")
    assert "ran" not in missing.lines


def test_pip_does_not_warn_of_conflicts_with_what_only_this_machine_has(
    training: Training, tmp_path: Path
) -> None:
    # pytest needs a newer one.
    wheel, about = tmp_path / "pluggy-0.0.1-py3-none-any.whl", "pluggy-0.0.1.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pluggy.py", "OWN = True")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: pluggy\nVersion: 0.0.1\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    run = training.run(
        {"train.py": "import pluggy\nprint(pluggy.OWN)", "requirements.txt": f"{wheel}\n"}, "train.py"
    )

    assert run.wait() == OK, run.lines
    assert run.lines[-1] == "True"
    assert not [line for line in run.lines if "incompatible" in line]


def test_the_xgboost_image_makes_a_package_of_every_script(training: Training, tmp_path: Path) -> None:
    other = Training(training.runner, tmp_path / "other")
    script = {"train.py": "import sys\nprint('ran', sys.argv[1:])"}
    allowed = training.run(script, "train.py", image=XGBOOST, env={"PIP_NO_BUILD_ISOLATION": "0"}, text="a b")
    isolated = other.run(script, "train.py", image=XGBOOST)

    assert allowed.wait() == OK, allowed.lines
    assert allowed.lines[-1] == "ran ['--text', 'a b']"
    assert isolated.wait() == FAILED
    assert other.failure == 'InstallModuleError:\nCommand "python -m pip install ."'


def archive_of(**members: tarfile.TarInfo | bytes) -> bytes:
    """A .tar.gz with members whose names have `__` for `/`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, member in members.items():
            path = name.replace("__", "/").replace("_py", ".py").replace("UP", "..")
            if isinstance(member, bytes):
                info = tarfile.TarInfo(path)
                info.size = len(member)
                archive.addfile(info, io.BytesIO(member))
            else:
                member.name = path
                archive.addfile(member)
    return buffer.getvalue()


def special(kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


def test_code_from_s3_and_from_an_archive_in_a_channel_is_unpacked(
    training: Training, tmp_path: Path
) -> None:
    other = Training(training.runner, tmp_path / "other")
    content = archive_of(train_py=b"print('from', 'archive')")
    (tmp_path / "sourcedir.tar.gz").write_bytes(content)
    (other.code / "sourcedir.tar.gz").write_bytes(content)
    runs = [
        training.run(
            {},
            "train.py",
            archive=str(tmp_path / "sourcedir.tar.gz"),
            sagemaker_submit_directory='"s3://bucket/sourcedir.tar.gz"',
        ),
        other.run({}, "train.py", sagemaker_submit_directory="/opt/ml/input/data/code/sourcedir.tar.gz"),
    ]

    for run in runs:
        assert run.wait() == OK, run.lines
        assert run.lines[-1] == "from archive"


@pytest.mark.parametrize(
    "content",
    [
        archive_of(train_py=b"", UP__evil_py=b"print('evil')"),
        archive_of(train_py=b"", link=special(tarfile.SYMTYPE, "/etc/passwd")),
        archive_of(train_py=b"", device=special(tarfile.CHRTYPE)),
        archive_of(train_py=b"", pipe=special(tarfile.FIFOTYPE)),
        b"no archive",
        gzip.compress(b"no tar", mtime=0),
        archive_of(train_py=b"x" * 1000)[:-40],
    ],
    ids=["outside", "link", "device", "pipe", "no archive", "no tar", "cut"],
)
def test_a_hostile_archive_fails_the_job_with_one_line_and_writes_nothing_outside(
    training: Training, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "sourcedir.tar.gz").write_bytes(content)
    run = training.run(
        {},
        "train.py",
        archive=str(tmp_path / "sourcedir.tar.gz"),
        sagemaker_submit_directory="s3://bucket/it",
    )

    assert run.wait() == FAILED
    assert training.failure.startswith("Framework Error: \ns3://bucket/it could not be unpacked: ")
    assert not (training.root / "evil.py").exists()


def test_code_in_s3_cannot_be_read_without_a_network(training: Training) -> None:
    run = training.run({}, "train.py", sagemaker_submit_directory="s3://bucket/it")

    assert run.wait() == FAILED
    assert "Give the code as a channel" in training.failure

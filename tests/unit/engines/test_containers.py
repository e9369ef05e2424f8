"""Jobs that have a folder of their own as /opt/ml, on machines with namespaces and on those without."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.sagemaker.engines.processes import Command, Exit, Network, Process, WarmWorkers
from local.sagemaker.engines.warm import namespace
from local.sagemaker.engines.warm.translation import here
from tests.unit.engines.test_processes import wait_until

pytestmark = pytest.mark.enable_socket

OK = Exit(0, "exited")
WHY_NOT = namespace.why_not()
with_namespaces = pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT)
INSTALL = """
import subprocess, sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/fond-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("fond.py", "COLOUR = 'green'")
    wheel.writestr("fond-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: fond\\nVersion: 1.0\\n")
    wheel.writestr("fond-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("fond-1.0.dist-info/RECORD", "")
pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check"]
subprocess.run([*pip, "--no-warn-conflicts", wheel.filename], check=True)
import fond
print(fond.COLOUR)
subprocess.run([sys.executable, "-c", "import fond; print(fond.COLOUR)"], check=True)
"""


@pytest.fixture(scope="module")
def workers_without() -> Iterator[WarmWorkers]:
    workers = WarmWorkers(preload=(), namespaces=False)
    yield workers
    workers.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job's folder."""
    (tmp_path / "job/ml").mkdir(parents=True)
    return tmp_path / "job"


def run(
    workers: WarmWorkers,
    folder: Path,
    script: str,
    *arguments: str,
    network: bool = True,
    confined: bool = False,
    frugal: bool = False,
) -> tuple[Exit, list[str]]:
    (folder / "ml/script.py").write_text(script)
    lines: list[str] = []
    argv = ("python3", "/opt/ml/script.py", *arguments)
    command = Command(
        argv,
        {"DATA": "/opt/ml/data"},
        Path("/opt/ml"),
        folder=folder,
        network=network,
        confined=confined,
        frugal=frugal,
    )
    return workers.spawn(command, on_line=lines.append).wait(), lines


@with_namespaces
def test_a_job_has_its_own_opt_ml_and_tmp_and_is_root(workers: WarmWorkers, folder: Path) -> None:
    script = """
import os, pathlib, tempfile
pathlib.Path("/opt/ml/model/deep").mkdir(parents=True)
pathlib.Path("/opt/ml/model/deep/file").write_text(os.environ["DATA"])
print(os.getcwd(), __file__, os.getuid(), tempfile.mkdtemp().startswith("/tmp/"))
os.system("echo from the shell > /opt/ml/model/shell")
"""
    assert run(workers, folder, script) == (OK, ["/opt/ml /opt/ml/script.py 0 True"])
    assert (folder / "ml/model/deep/file").read_text() == "/opt/ml/data"
    assert (folder / "ml/model/shell").read_text() == "from the shell\n"
    assert len([path for path in (folder / "tmp").iterdir() if path.name.startswith("tmp")]) == 1


@with_namespaces
def test_a_job_can_write_nowhere_else(workers: WarmWorkers, folder: Path, tmp_path: Path) -> None:
    places = [tmp_path, Path(__file__).parent, Path(sys.prefix), Path.home(), Path("/etc"), Path("/tmp")]
    script = """
import pathlib, sys
for place in sys.argv[1:]:
    try:
        pathlib.Path(place, "namespace-was-here").write_text("x")
    except OSError:
        pass
"""
    assert run(workers, folder, script, *map(str, places)) == (OK, [])
    assert not [place for place in places if (place / "namespace-was-here").exists()]


@with_namespaces
def test_other_entries_of_opt_stay_where_they_were(workers: WarmWorkers, folder: Path) -> None:
    before = {path.name for path in Path("/opt").iterdir()} - {"ml"}
    _, lines = run(workers, folder, "import os; print(*sorted(os.listdir('/opt')), sep='\\n')")

    assert set(lines) == before | {"ml"}


@with_namespaces
def test_a_jobs_packages_are_visible_only_to_it_and_its_children(workers: WarmWorkers, folder: Path) -> None:
    assert run(workers, folder, INSTALL, "/tmp") == (OK, ["green", "green"])
    assert not list(Path(sys.prefix).rglob("fond*"))


@with_namespaces
def test_without_a_network_only_the_loopback_interface_is_there(workers: WarmWorkers, folder: Path) -> None:
    script = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname())
socket.create_connection(("192.0.2.1", 80), timeout=5)
"""
    ended, lines = run(workers, folder, script, network=False)

    assert ended == Exit(1, "exited")
    assert lines[-1] == "OSError: [Errno 101] Network is unreachable"


@with_namespaces
def test_the_keeper_watches_memory_and_children_in_a_namespace_too(
    workers: WarmWorkers, folder: Path
) -> None:
    (folder / "ml/script.py").write_text(
        "import subprocess, sys, time\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)\n"
        "hoard = bytearray(b'x' * 400_000_000); time.sleep(600)"
    )
    lines: list[str] = []
    command = Command(("python3", "/opt/ml/script.py"), {}, Path("/opt/ml"), folder=folder)
    process = workers.spawn(command, on_line=lines.append, memory_bytes=300_000_000)

    assert process.wait() == Exit(None, "out_of_memory")
    with pytest.raises(ProcessLookupError):
        os.kill(int(lines[0]), 0)


@pytest.mark.parametrize(
    "does",
    [
        "open('/opt/ml/model/x', 'w')",
        "os.makedirs('/opt/ml/model', exist_ok=True)",
        "pathlib.Path('/opt/ml').mkdir()",
        "subprocess.run('mkdir -p /opt/ml/model', shell=True)",
        "subprocess.run(['touch', '/opt/ml/x'])",
        "os.system('mkdir -p /opt/ml')",
    ],
)
def test_without_namespaces_a_script_that_names_opt_ml_is_refused(
    workers_without: WarmWorkers, folder: Path, does: str
) -> None:
    before = Path("/opt/ml").exists()
    ended, lines = run(workers_without, folder, f"import os, pathlib, subprocess\n{does}")

    assert ended == Exit(1, "exited")
    assert lines[-1].startswith("PermissionError: this machine gives jobs no /opt/ml of their own")
    assert Path("/opt/ml").exists() == before


def test_without_namespaces_the_paths_of_a_request_refer_to_the_jobs_folder(
    workers_without: WarmWorkers, folder: Path
) -> None:
    script = """
import os, pathlib, sys, tempfile
print(os.getcwd(), sys.argv[1], os.environ["DATA"], tempfile.gettempdir(), os.environ["HOME"], sep="\\n")
"""
    ended, lines = run(workers_without, folder, script, "--out=/opt/ml/out")

    assert ended == OK
    ml = f"{folder.resolve()}/ml"
    assert lines == [ml, f"--out={ml}/out", f"{ml}/data", f"{folder}/tmp", f"{folder}/home"]


def test_without_namespaces_what_a_job_installs_stays_in_its_folder(
    workers_without: WarmWorkers, folder: Path
) -> None:
    assert run(workers_without, folder, INSTALL, str(folder)) == (OK, ["green", "green"])
    assert not list(Path(sys.prefix).rglob("fond*"))


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("/opt/ml", "{root}"),
        ("/opt/ml/model", "{root}/model"),
        ("--model=/opt/ml/model", "--model={root}/model"),
        ("/usr/lib:/opt/ml/code", "/usr/lib:{root}/code"),
        ("/opt/mlx/model", "/opt/mlx/model"),
        ("/home/opt/ml/model", "/home/opt/ml/model"),
        ("s3://bucket/opt/ml/model", "s3://bucket/opt/ml/model"),
        ("see /opt/ml/model", "see /opt/ml/model"),
    ],
)
def test_a_path_below_opt_ml_is_translated_to_the_jobs_own_folder(text: str, translated: str) -> None:
    assert here(text, Path("/jobs/1")) == translated.format(root="/jobs/1/ml")


def test_a_machine_that_refuses_namespaces_is_detected_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(network: bool) -> None:
        raise PermissionError(1, "unshare: Operation not permitted")

    monkeypatch.setattr(namespace, "unshare", refuse)

    assert "unshare: Operation not permitted" in namespace.why_not()


@with_namespaces
def test_a_confined_job_is_not_root_and_writes_only_to_tmp(workers: WarmWorkers, folder: Path) -> None:
    script = """
import os, pathlib, subprocess
def writable(folder):
    try:
        (pathlib.Path(folder) / "written").write_text("x")
    except OSError:
        return False
    return True
places = ("/tmp", "/opt/ml", "/opt/ml/model", "/root", "/dev/shm", "/etc", "/opt", %r)
print(os.getuid(), os.getgid(), [place for place in places if writable(place)])
print(pathlib.Path("/opt/ml/model/weights").read_text())
try:
    os.setuid(0)
except OSError:
    print("no root")
print(subprocess.run(["mount", "-o", "remount,rw", "/opt/ml"], capture_output=True).returncode != 0)
"""
    (folder / "ml/model").mkdir()
    (folder / "ml/model/weights").write_text("7")
    done, lines = run(workers, folder, script % str(folder), confined=True)

    assert (done, lines) == (OK, ["993 993 ['/tmp']", "7", "no root", "True"])


@with_namespaces
def test_a_frugal_job_leaves_only_its_opt_ml_on_the_disk_and_changes_nothing_else(
    workers: WarmWorkers, folder: Path
) -> None:
    script = """
import os, pathlib, sys
def writable(folder):
    try:
        (pathlib.Path(folder) / "written").write_text("x")
    except OSError:
        return False
    return True
places = ("/tmp", "/opt/ml", "/root", "/dev/shm", "/etc", sys.prefix, os.path.dirname(os.__file__))
print(os.getuid(), [place for place in places if writable(place)])
"""
    done, lines = run(workers, folder, script, frugal=True)

    assert (done, lines) == (OK, ["0 ['/tmp', '/opt/ml', '/root', '/dev/shm']"])
    assert not [place for place in ("/tmp", "/root", "/dev/shm") if (Path(place) / "written").exists()]
    assert sorted(path.name for path in folder.rglob("*")) == ["ml", "script.py", "written"]


LISTEN = """
import socket, sys
with socket.create_server(("algo-1", 9099)) as server:
    print("listening", flush=True)
    server.settimeout(10)
    print(server.accept()[0].recv(5).decode(), [name for _, name in socket.if_nameindex()])
"""
CALL = """
import socket
try:
    socket.create_connection(("algo-1", 9099), 5).sendall(b"hello")
except OSError as error:
    print(type(error).__name__)
"""


def start_host(
    workers: WarmWorkers, folder: Path, script: str, network: Network | None
) -> tuple[Process, list[str]]:
    """Start one of two hosts of a job; without a network, it is alone."""
    (folder / "ml").mkdir(parents=True)
    (folder / "ml/script.py").write_text(script)
    (folder / "hosts").write_text("127.0.0.2 algo-1\n127.0.0.3 algo-2\n")
    lines: list[str] = []
    argv = ("python3", "/opt/ml/script.py")
    alone = network is None
    command = Command(argv, {}, Path("/opt/ml"), folder=folder, network=not alone, shares=network)
    return workers.spawn(command, on_line=lines.append), lines


@with_namespaces
def test_hosts_that_share_a_network_find_each_other_by_name_and_nothing_else(
    workers: WarmWorkers, tmp_path: Path
) -> None:
    network = workers.make_network()
    first, said = start_host(workers, tmp_path / "one", LISTEN, network)
    wait_until(lambda: said == ["listening"])
    second, answer = start_host(workers, tmp_path / "two", CALL, network)
    network.close()

    assert (second.wait(), answer) == (OK, [])
    assert (first.wait(), said[1:]) == (OK, ["hello ['lo']"])


@with_namespaces
def test_a_host_does_not_reach_one_of_another_network(workers: WarmWorkers, tmp_path: Path) -> None:
    first, said = start_host(workers, tmp_path / "one", LISTEN, None)
    wait_until(lambda: said == ["listening"])
    second, answer = start_host(workers, tmp_path / "two", CALL, None)

    assert (second.wait(), answer) == (OK, ["ConnectionRefusedError"])
    first.stop(grace=0)
    first.join()


def test_a_machine_without_namespaces_has_no_network_to_share(workers_without: WarmWorkers) -> None:
    assert workers_without.make_network().descriptors == ()

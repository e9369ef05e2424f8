"""A job on several hosts, each a process with an address of its own."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

from common.cluster import Local

HOST = "tests.integration.cluster.host"
ITEMS = range(12)
SQUARES = " ".join(str(number * number) for number in ITEMS)
KILLED = -9

Job = Callable[..., "list[Ended]"]


@dataclass(frozen=True)
class Ended:
    code: int | None
    message: str
    log: str


@pytest.fixture(scope="module")
def hosts() -> ForkServerContext:
    """Forks hosts from a process that has imported what they need, which takes longer than their work."""
    context = get_context("forkserver")
    context.set_forkserver_preload([HOST])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()
    return context


@pytest.fixture
def job(tmp_path: Path, hosts: ForkServerContext) -> Job:
    """Runs a function of `host.py` on hosts whose addresses no other test has; some may never come."""

    from tests.integration.cluster.host import be_host  # too slow for every worker's collection

    def run(work: str, *, cores: int = 1, coming: Sequence[int] = (0, 1), seconds: float = 60) -> list[Ended]:
        names = [
            f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}.{2 + number}" for number in (0, 1)
        ]
        started = {}
        for name in (names[number] for number in coming):
            arguments = (tmp_path, work, cores, seconds, name, names, tmp_path / f"{name}.log")
            started[name] = hosts.Process(target=be_host, args=arguments)
            started[name].start()
        return [ended(tmp_path, name, process) for name, process in started.items()]

    return run


def ended(folder: Path, name: str, process: ForkServerProcess) -> Ended:
    try:
        process.join(300)
    finally:
        process.kill()
    message = folder / name / "message"
    return Ended(
        process.exitcode,
        message.read_text() if message.is_file() else "",
        (folder / f"{name}.log").read_text(),
    )


@pytest.mark.parametrize("cores", [1, 2])
def test_the_work_of_a_lost_worker_is_done_again_and_all_hosts_end_with_the_result(
    cores: int, job: Job, tmp_path: Path
) -> None:
    first, second = job("finish", cores=cores)
    assert (first.code, second.code, first.message, second.message) == (0, 0, SQUARES, SQUARES)
    assert (tmp_path / "killed").exists()
    assert int((tmp_path / "workers").read_text()) > 1
    assert f"{2 * cores} workers on 2 hosts" in first.log
    assert "Restarting worker" in first.log + second.log


def test_a_workload_prepares_and_measures_the_same_on_any_number_of_workers_and_hosts(
    job: Job, tmp_path: Path
) -> None:
    from tests.integration.cluster.host import cars, files_below

    first, second = job("cars", cores=2)
    assert (first.code, second.code) == (0, 0), first.log + second.log
    assert "test-00001.csv" in files_below(tmp_path / "prepared" / "test")
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        assert cars(tmp_path / str(workers), Local(workers=workers)) == first.message
    for name in files_below(tmp_path / "1" / "prepared"):
        contents = {(tmp_path / folder / "prepared" / name).read_bytes() for folder in (".", "1", "2")}
        assert len(contents) == 1, name


def test_items_run_on_the_host_that_has_what_they_need(job: Job) -> None:
    first, second = job("near")
    assert (first.code, second.code) == (0, 0), first.log + second.log
    ran = first.message.split()
    assert len(ran) == len(ITEMS)
    # Others may help at the end.
    assert ran.count(max(ran)) > len(ITEMS) / 2
    assert max(ran).endswith(".3")


def test_items_run_although_the_host_that_has_what_they_need_was_lost(job: Job) -> None:
    first, second = job("near_a_lost_one")
    assert (first.code, second.code) == (0, 0), first.log + second.log
    assert first.message == str(len(ITEMS))


def test_what_loses_every_worker_fails_the_job_on_all_hosts(job: Job) -> None:
    first, second = job("lose")
    assert (first.code, second.code) == (1, 1)
    assert (
        first.message
        == second.message
        == ("3 workers were lost at the same block, probably because memory was short")
    )


def test_what_a_block_raises_is_the_end_of_all_hosts(job: Job) -> None:
    first, second = job("stop")
    assert (first.code, second.code, first.message, second.message) == (1, 1, *["number 0 is bad"] * 2)
    assert "Traceback" not in first.log + second.log


def test_the_loss_of_the_first_host_ends_the_others_with_that_reason(job: Job) -> None:
    first, second = job("die")
    assert (first.code, second.code) == (KILLED, 1)
    assert "which coordinates the job, was lost; the log of" in second.message
    assert "Traceback" not in second.log


@pytest.mark.parametrize(
    ("coming", "reason"),
    [([0], "3 did not come within 1 s"), ([1], "2 could not be reached on port 8786 within 1 s")],
)
def test_a_host_that_never_comes_is_not_waited_for_in_vain(coming: list[int], reason: str, job: Job) -> None:
    [here] = job("finish", coming=coming, seconds=1)
    assert here.code == 1
    assert reason in here.message
    assert "ProcessingNetworkIsolation" in here.message

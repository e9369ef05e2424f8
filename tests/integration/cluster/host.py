"""One host of a job, a process of its own with a folder in place of /opt/ml."""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import xgboost

from auto_mpg import evaluate, preprocess, together
from common import cluster, dask_cluster, hosts, job
from tests.channels import read_channel

ROOT = Path(__file__).parents[3]
ITEMS = range(12)


class Refused(Exception):
    pass


def square(folder: Path, number: int) -> tuple[int, int]:
    """The first worker that comes to the fifth item is killed."""
    if number == 5:
        try:
            (folder / "killed").touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return number * number, os.getpid()


def kill_worker(number: int) -> None:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)


def refuse(number: int) -> None:
    raise Refused(f"number {number} is bad")


def finish(folder: Path, on: cluster.Cluster) -> str:
    found = list(on.map(partial(square, folder), ITEMS))
    (folder / "workers").write_text(str(len({process for _, process in found})))
    return " ".join(str(result) for result, _ in found)


def host_of(number: int) -> str:
    return hosts.find_hosts().current


def near(folder: Path, on: cluster.Cluster) -> str:
    """All items are near the last host."""
    last = hosts.find_hosts().names[-1]
    return " ".join(on.map(host_of, ITEMS, near=lambda _: last))


def near_a_lost_one(folder: Path, on: cluster.Cluster) -> str:
    return str(len(list(on.map(host_of, ITEMS, near=lambda _: "lost"))))


def lose(folder: Path, on: cluster.Cluster) -> str:
    return str(list(on.map(kill_worker, ITEMS)))


def stop(folder: Path, on: cluster.Cluster) -> str:
    return str(list(on.map(refuse, ITEMS)))


def die(folder: Path, on: cluster.Cluster) -> str:
    next(on.map(partial(square, folder), ITEMS))
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def cars(folder: Path, on: cluster.Cluster) -> str:
    """A workload's own jobs, on a small file that they take for a large one."""
    together.BLOCK, together.BLOCKS_OF_A_PART = 2048, 2
    preprocess.prepare(ROOT / "data" / "auto-mpg.csv", "cars.csv", folder / "prepared", on)
    train = read_channel(folder / "prepared" / "train")
    settings = {"max_depth": 3, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(train[:, 1:], train[:, 0], nthread=1), 5)
    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / "xgboost-model").write_bytes(booster.save_raw("ubj"))
    (bundle / "preprocessor.json").write_bytes((folder / "prepared" / "preprocessor.json").read_bytes())
    (bundle / "xgboost-version").write_text(xgboost.__version__)
    measured = evaluate.measure(bundle, folder / "prepared", on)
    found = [measured.metrics, measured.baseline, measured.figures, measured.smoke_test]
    whole = repr([*found, np.asarray(measured.gate_values).tolist()]).encode()
    return hashlib.sha256(whole).hexdigest()


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def be_host(
    shared: Path, work: str, cores: int, seconds: float, current: str, names: Sequence[str], log: Path
) -> None:
    """Do one's part of the work as the `current` of these hosts, and end with the job's exit code."""
    with log.open("w") as stream:
        for output in (1, 2):
            os.dup2(stream.fileno(), output)
    own = shared / current
    own.mkdir()
    hosts.RESOURCE_CONFIG = own / "resourceconfig.json"
    hosts.RESOURCE_CONFIG.write_text(json.dumps({"current_host": current, "hosts": names}))
    vars(dask_cluster).update(cores=lambda: cores, LONGEST_WAIT=seconds)
    sys.exit(job.run(partial(globals()[work], shared), own / "message", known=(Refused,)))

"""One host of a job: `python host.py FOLDER WORK CORES SECONDS CURRENT HOST...`, its folder in place of /opt/ml."""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "processing"))

from common import cluster, hosts, job  # noqa: E402

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


def lose(folder: Path, on: cluster.Cluster) -> str:
    return str(list(on.map(kill_worker, ITEMS)))


def stop(folder: Path, on: cluster.Cluster) -> str:
    return str(list(on.map(refuse, ITEMS)))


def die(folder: Path, on: cluster.Cluster) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


if __name__ == "__main__":
    shared, work, cores, seconds, current, *names = sys.argv[1:]
    own = Path(shared) / current
    own.mkdir()
    hosts.RESOURCE_CONFIG = own / "resourceconfig.json"
    hosts.RESOURCE_CONFIG.write_text(json.dumps({"current_host": current, "hosts": names}))
    cluster.cores = lambda: int(cores)
    from common import dask_cluster

    dask_cluster.LONGEST_WAIT = float(seconds)
    done = job.run(partial(globals()[work], Path(shared)), own / "message", known=(Refused,))
    sys.exit(done)

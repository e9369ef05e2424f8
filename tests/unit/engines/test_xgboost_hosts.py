"""The built-in XGBoost on several hosts, which share a network of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import xgboost

from local.sagemaker.engines.processes import Command, Exit, Process, WarmWorkers
from tests.unit.engines.test_containers import with_namespaces
from tests.unit.engines.test_processes import OK, wait_until
from tests.unit.engines.test_xgboost_algorithm import SETTINGS, failure, make_root, metric_lines, rows

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Text file input:UserWarning"),
    pytest.mark.enable_socket,
    with_namespaces,
    pytest.mark.filterwarnings("ignore:.*UBJSON:UserWarning"),
]

NAMES = ["algo-1", "algo-2"]


@dataclass
class Host:
    """One of the hosts: its /opt/ml, its program, and what that has printed."""

    root: Path
    process: Process
    lines: list[str]

    @property
    def rows(self) -> list[str]:
        """The sizes of its matrices, as the pipeline reads them."""
        pattern = r"(Train|Validation) matrix has (\d+) rows"
        return [match[2] for line in self.lines if (match := re.search(pattern, line))]


def start(workers: WarmWorkers, folder: Path, shards: Sequence[str], settings: dict[str, str]) -> list[Host]:
    """Start a training on as many hosts as there are shards of its data."""
    network = workers.make_network()
    hosts: list[Host] = []
    for name, shard in zip(NAMES, shards, strict=True):
        cluster = {"current_host": name, "hosts": NAMES}
        root = make_root(folder / name / "ml", settings, cluster=cluster, train=shard, validation=rows(20, 2))
        (folder / name / "hosts").write_text("127.0.0.2 algo-1\n127.0.0.3 algo-2\n")
        module = ("-m", "local.sagemaker.engines.xgboost_algorithm", "/opt/ml")
        command = Command(module, {}, Path("/opt/ml"), folder=folder / name, shares=network)
        lines: list[str] = []
        hosts.append(Host(root, workers.spawn(command, on_line=lines.append, timeout=60), lines))
    network.close()
    return hosts


def test_two_hosts_train_one_model_on_the_rows_of_both(workers: WarmWorkers, tmp_path: Path) -> None:
    everything = rows(60)
    lines = everything.splitlines(keepends=True)
    settings = SETTINGS | {"tree_method": "hist"}
    first, second = start(workers, tmp_path, ["".join(lines[:35]), "".join(lines[35:])], settings)

    assert (first.process.wait(), second.process.wait()) == (OK, OK), first.lines + second.lines
    assert (first.rows, second.rows) == (["35", "20"], ["25", "20"])
    assert sorted(path.name for path in first.root.glob("model/*")) == ["xgboost-model"]
    assert not list(second.root.glob("model/*"))

    booster = xgboost.Booster(model_file=first.root / "model/xgboost-model")
    assert booster.num_boosted_rounds() == 5
    # The last metric, which one host alone prints, is the mean over the rows of both.
    (tmp_path / "all.csv").write_text(everything)
    data = xgboost.DMatrix(f"{tmp_path}/all.csv?format=csv&label_column=0")
    error = float(((booster.predict(data) - data.get_label()) ** 2).mean() ** 0.5)
    (last,) = (line for line in first.lines + second.lines if "[4]\ttrain-rmse:" in line)
    assert float(last.split("train-rmse:")[1].split()[0]) == pytest.approx(error, abs=1e-4)


@pytest.mark.parametrize("empty", [0, 1])
def test_a_host_without_data_is_left_out_with_a_warning(
    empty: int, workers: WarmWorkers, tmp_path: Path
) -> None:
    shards = [rows(40), rows(40)]
    shards[empty] = ""
    hosts = start(workers, tmp_path, shards, SETTINGS)

    assert [host.process.wait() for host in hosts] == [OK, OK]
    said = "\n".join(hosts[empty].lines)
    assert f"WARNING] Host {NAMES[empty]} not being used for distributed training." in said
    assert (hosts[empty].rows, hosts[1 - empty].rows) == ([], ["40", "20"])
    assert len(metric_lines("\n".join(hosts[1 - empty].lines))) == 5
    assert (hosts[1 - empty].root / "model/xgboost-model").exists()


def test_when_a_host_is_killed_the_other_fails_and_says_why(workers: WarmWorkers, tmp_path: Path) -> None:
    first, second = start(workers, tmp_path, [rows(40)] * 2, SETTINGS | {"num_round": "100000"})
    wait_until(lambda: any("train-rmse" in line for line in first.lines))
    second.process.kill()

    assert second.process.wait() == Exit(None, "exited")
    ended = first.process.wait()
    assert ended.code not in (0, None), first.lines[-3:]
    assert failure(first.root)


def test_a_name_that_nobody_knows_is_said(workers: WarmWorkers, tmp_path: Path) -> None:
    root = make_root(
        tmp_path / "ml", cluster={"current_host": "algo-1", "hosts": ["algo-1.invalid", "algo-2"]}
    )
    module = ("-m", "local.sagemaker.engines.xgboost_algorithm", str(root))
    process = workers.spawn(Command(module, {}, tmp_path), on_line=lambda line: None)

    assert process.wait() == Exit(1, "exited")
    assert "The name of the host algo-1.invalid cannot be resolved" in failure(root)

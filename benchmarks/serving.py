"""One model behind a local endpoint, compared with the same model behind BentoML's server.

`python benchmarks/serving.py` measures both in turn, in one run, and prints medians and their ratio:

- the latency of one car: a signed InvokeEndpoint through the embedded AWS, with permissions checked, and a
  plain POST to BentoML, each over one connection
- the rows of many cars in a second, with 20,000 of them in each request

BentoML comes from the package index into an environment that is removed afterwards. Both servers have one
worker with one thread.
"""

import argparse
import contextlib
import csv
import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import boto3
import numpy as np
import xgboost
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from local.embedded.access import ROOT_ACCESS_KEY, read_secret  # noqa: E402 - after the path
from tests.conftest import free_port, make_role, read_line  # noqa: E402

PEER = "bentoml==1.4.39"
COLUMNS = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "model year", "origin")
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
ROWS = 20_000
WARM_UP = 50
Json = dict[str, Any]


@dataclass
class Server:
    """A server of the model: how to ask it, and what was measured."""

    name: str
    port: int
    headers: Callable[[bytes], Mapping[str, str]]
    path: str
    latencies: list[list[float]] = field(default_factory=list)
    rows_a_second: list[float] = field(default_factory=list)

    def measure(self, row: bytes, requests: int) -> None:
        """Add the latencies of one row, and the speed with many."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        ask = self._asker(connection, row)
        for _ in range(WARM_UP):
            ask()
        self.latencies.append(sorted(_seconds(ask) for _ in range(requests)))
        many = self._asker(connection, b"\n".join([row] * ROWS))
        self.rows_a_second.append(ROWS / min(_seconds(many) for _ in range(5)))
        connection.close()

    def _asker(self, connection: http.client.HTTPConnection, body: bytes) -> Callable[[], bytes]:
        headers = dict(self.headers(body))

        def ask() -> bytes:
            connection.request("POST", self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                raise RuntimeError(f"{self.name}: {response.status} {content.decode()}")
            return content

        return ask

    def report(self) -> Json:
        """The medians of all rounds, in milliseconds."""
        return {
            "p50_ms": 1000 * statistics.median(_quantile(each, 0.5) for each in self.latencies),
            "p99_ms": 1000 * statistics.median(_quantile(each, 0.99) for each in self.latencies),
            "rows_a_second": statistics.median(self.rows_a_second),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure an endpoint against BentoML.")
    parser.add_argument("--requests", type=int, default=500, help="for each latency (default: 500)")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of both servers (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        model, row = train(Path(scratch))
        ours = stack.enter_context(endpoint(Path(scratch), model))
        peer = stack.enter_context(bentoml(Path(scratch), model))
        for _ in range(arguments.rounds):
            for server in (ours, peer):
                server.measure(row, arguments.requests)
    found = {server.name: server.report() for server in (ours, peer)}
    ratios = {name: found[ours.name][name] / found[peer.name][name] for name in found[ours.name]}
    show({**found, "ratio": ratios}, as_json=arguments.json)


def show(found: Mapping[str, Mapping[str, float]], *, as_json: bool) -> None:
    """Print a table or JSON."""
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'':<12}{'one car, p50':>14}{'p99':>12}{'rows a second':>16}")
    for name, row in found.items():
        unit, digits = ("", 2) if name == "ratio" else (" ms", 1)
        latencies = (f"{row[each]:.{digits}f}{unit}" for each in ("p50_ms", "p99_ms"))
        rows = f"{row['rows_a_second']:,.{2 if name == 'ratio' else 0}f}"
        print(f"{name:<12}{next(latencies):>14}{next(latencies):>12}{rows:>16}")


def train(folder: Path) -> tuple[Path, bytes]:
    """A model of the cars, and one of them."""
    with (ROOT / "data/auto-mpg.csv").open(newline="") as file:
        cars = [car for car in csv.DictReader(file) if car["mpg"]]
    features = np.array([[_number(car[name]) for name in COLUMNS] for car in cars])
    data = xgboost.DMatrix(features, label=[float(car["mpg"]) for car in cars])
    booster = xgboost.train({"max_depth": 5, "eta": 0.2}, data, num_boost_round=50)
    path = folder / "xgboost-model.ubj"
    booster.save_model(path)
    return path, ",".join(map(str, features[0])).encode()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return {"usa": 1.0, "europe": 2.0, "japan": 3.0}.get(text, float("nan"))


@contextlib.contextmanager
def endpoint(folder: Path, model: Path) -> Iterator[Server]:
    """An embedded AWS with an endpoint of the built-in XGBoost."""
    port = free_port()
    command = [sys.executable, "-m", "local.embedded", "--port", str(port), "--folder", str(folder / "aws")]
    with running(command, {}) as process:
        read_line(process)
        secret = read_secret(folder / "aws")

        def client(service: str) -> Any:
            make: Any = boto3.client
            return make(
                service,
                region_name="us-east-1",
                endpoint_url=f"http://127.0.0.1:{port}",
                aws_access_key_id=ROOT_ACCESS_KEY,
                aws_secret_access_key=secret,
            )

        host(client, model)
        key = boto3.Session(ROOT_ACCESS_KEY, secret).get_credentials()
        path = "/endpoints/cars/invocations"

        def signed(body: bytes) -> Mapping[str, str]:
            request = AWSRequest("POST", f"http://127.0.0.1:{port}{path}", {"Content-Type": "text/csv"}, body)
            SigV4Auth(key, "sagemaker", "us-east-1").add_auth(request)
            return dict(request.headers)

        yield Server("endpoint", port, signed, path)


def host(client: Callable[[str], Any], model: Path) -> None:
    """Create the endpoint `cars`, and wait for it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(model, "xgboost-model")
    client("s3").create_bucket(Bucket="models")
    client("s3").put_object(Bucket="models", Key="model.tar.gz", Body=archive.getvalue())
    make_role(Clients(client), "job")  # type: ignore[arg-type]
    sagemaker = client("sagemaker")
    sagemaker.create_model(
        ModelName="cars",
        ExecutionRoleArn="arn:aws:iam::000000000000:role/job",
        PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": "s3://models/model.tar.gz"},
    )
    variant = {"VariantName": "AllTraffic", "ModelName": "cars", "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(
        EndpointConfigName="cars", ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )
    sagemaker.create_endpoint(EndpointName="cars", EndpointConfigName="cars")
    while (status := sagemaker.describe_endpoint(EndpointName="cars")["EndpointStatus"]) == "Creating":
        time.sleep(0.1)
    if status != "InService":
        raise RuntimeError(f"the endpoint is {status}")


@dataclass(frozen=True)
class Clients:
    """What `make_role` needs of an embedded AWS."""

    client: Callable[[str], Any]


@contextlib.contextmanager
def bentoml(folder: Path, model: Path) -> Iterator[Server]:
    """BentoML's server, in an environment of its own beside this one's libraries."""
    environment, uv = folder / "bentoml", str(Path(sys.executable).with_name("uv"))
    python = str(environment / "bin/python")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(environment)], check=True)
    # The project's own settings for uv are not for this environment.
    subprocess.run([uv, "pip", "install", "-q", "--no-config", "--python", python, PEER], check=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    port = free_port()
    arguments = ["serve", "bento_service:Predictor", "--host", "127.0.0.1", "--port", str(port)]
    variables = {
        "MODEL": str(model),
        "HOME": str(folder),
        "BENTOML_HOME": str(folder / "bentos"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    log = (folder / "bentoml.log").open("w")
    with log, running([python, "-m", "bentoml", *arguments], variables, ROOT / "benchmarks", log):
        _wait(port)
        yield Server("BentoML", port, lambda body: {"Content-Type": "text/plain"}, "/invocations")


@contextlib.contextmanager
def running(
    command: list[str], variables: Mapping[str, str], folder: Path = ROOT, log: TextIO | None = None
) -> "Iterator[subprocess.Popen[str]]":
    """A server that ends with the block; its output can be read unless it goes to a log."""
    output = {"stdout": log, "stderr": log} if log else {"stdout": subprocess.PIPE}
    environment = {**os.environ, **ONE_THREAD, **variables}
    process = subprocess.Popen(command, cwd=folder, env=environment, text=True, **output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError("BentoML does not answer")


def _seconds(ask: Callable[[], bytes]) -> float:
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


if __name__ == "__main__":
    main()

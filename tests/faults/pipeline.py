"""The deployed pipeline as a test sees it: faults to inject, files to upload."""

import io
import json
import os
import signal
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.cli.endpoint import Endpoint
from local.embedded.access import ROOT_ACCESS_KEY, pages
from local.embedded.faults import ONLOOKER
from packing import to_zip
from tests.conftest import ROOT, eventually, eventually_none
from tests.faults.run import RUN_SECONDS, Run
from tests.faults.tally import Mail, Tally

SAMPLE = (ROOT / "data" / "auto-mpg.csv").read_bytes()
STACK = "mpg-local"


class Pipeline:
    """A running `mpg up`."""

    def __init__(self, endpoint: Endpoint, work: Path, tally: Tally) -> None:
        self.endpoint = endpoint
        self.work = work
        self.tally = tally
        # Whether uploads may reuse what earlier runs left, unless they say otherwise.
        self.reuse = False
        self.runs: list[Run] = []
        self._settled: list[Run] = []
        self._rules: list[dict[str, Any]] = []
        self._mails: list[Mail] = []
        self._mails_lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._executions: dict[str, tuple[str, str]] = {}
        self._executions_lock = threading.Lock()

    @property
    def url(self) -> str:
        return self.endpoint.url

    def client(self, service: str) -> Any:
        """A boto3 client whose calls get no faults and are not counted."""
        if service not in self._clients:
            new_client: Any = boto3.client
            self._clients[service] = new_client(
                service,
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id=ROOT_ACCESS_KEY,
                aws_secret_access_key=self.endpoint.secret,
                config=Config(
                    retries={"total_max_attempts": 1}, max_pool_connections=50, user_agent_extra=ONLOOKER
                ),
            )
        return self._clients[service]

    @cached_property
    def stack(self) -> dict[str, str]:
        """The stack's outputs, and the physical id of each of its and its nested stacks' resources by its logical one."""
        outputs = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
        return {
            **self._resources(STACK),
            **{output["OutputKey"]: output["OutputValue"] for output in outputs},
        }

    def _resources(self, stack: str) -> dict[str, str]:
        found = {}
        described = self.client("cloudformation").describe_stack_resources(StackName=stack)
        for resource in described["StackResources"]:
            found[resource["LogicalResourceId"]] = resource["PhysicalResourceId"]
            if resource["ResourceType"] == "AWS::CloudFormation::Stack":
                found |= self._resources(resource["PhysicalResourceId"])
        return found

    # Faults

    def fault(self, operation: str, *, containing: str = "", times: int | None = 1, **what: Any) -> None:
        """Inject a fault, as local/embedded/faults.py describes it (`from` is `first` here).

        It comes after those that were asked for before; all of them count from one again.
        """
        rule = {"operation": operation, "containing": containing, "times": times, **what}
        self._rules.append({"from" if name == "first" else name: value for name, value in rule.items()})
        self._put_rules()

    def fault_instead(self, operation: str, **what: Any) -> None:
        """Inject this fault in place of all others, in one step; calls that they hold continue."""
        self._rules = []
        self.fault(operation, **what)

    def heal(self) -> list[dict[str, Any]]:
        """Remove all faults; held calls continue. Returns what the rules matched."""
        self._rules = []
        return self._put_rules()

    def faults(self) -> list[dict[str, Any]]:
        """The rules with their matches so far."""
        return list(self._ask("faults"))

    @contextmanager
    def held(self, operation: str, containing: str = "", times: int | None = 1) -> Iterator[None]:
        """While entered, the first such calls wait; afterwards there are no faults."""
        self.fault(operation, containing=containing, times=times, delay=RUN_SECONDS)
        try:
            yield
        finally:
            self.heal()

    def until_met(self, number: int = 1) -> None:
        """Wait until the newest rule has applied that many times."""
        self._until_applied(-1, number)

    def _until_applied(self, rule: int, number: int) -> None:
        """Wait until a rule has applied that many times; shows it otherwise."""
        looking = f"faults?rule={rule % len(self._rules)}&applied={number}&wait=9"
        try:
            eventually(lambda: self._ask(looking)[rule]["applied"] >= number, RUN_SECONDS)
        except AssertionError as late:
            raise AssertionError(f"not met {number} times: {self.faults()[rule]}") from late

    @contextmanager
    def quotas(self, limits: dict[str, int]) -> Iterator[None]:
        """While entered, the account has these quotas, by their names in Service Quotas."""
        self._ask("quotas", limits)
        try:
            yield
        finally:
            self._ask("quotas", {})

    @contextmanager
    def concurrency(self, executions: int, *functions: str) -> Iterator[None]:
        """While entered, each of these functions, by logical id, runs at most so many times at once."""
        client, names = self.client("lambda"), [self.stack[function] for function in functions]
        for name in names:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=executions)
        try:
            yield
        finally:
            for name in names:
                client.delete_function_concurrency(FunctionName=name)

    def _put_rules(self) -> list[dict[str, Any]]:
        met = list(self._ask("faults", self._rules))
        for rule in met:
            if _does_something(rule):
                self.tally.faults[rule["operation"]] += rule["applied"]
        return met

    def _ask(self, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        url = self.url + pages(self.endpoint.secret) + path
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    # Files

    def upload(
        self,
        name: str = "cars.csv",
        content: bytes = SAMPLE,
        *,
        key: str = "",
        reuse: bool | None = None,
        **headers: str,
    ) -> Run:
        """Upload a file under a key that no other test has, or under `key`; `headers` as PutObject names them.

        `reuse` says whether the run may take earlier results instead of doing every step; None: as `self.reuse` says.
        """
        key = key or f"incoming/auto_mpg/{self.tally.uploads:04}/{name}"
        answer = self.client("s3").put_object(
            Bucket=self.stack["BucketName"],
            Key=key,
            Body=content,
            Metadata={} if (self.reuse if reuse is None else reuse) else {"reuse": "false"},
            **headers,
        )
        self.tally.uploads += 1
        self.tally.events += 1
        run = Run(self, key, answer["VersionId"])
        self.runs.append(run)
        return run

    def delete(self, key: str, **version: str) -> None:
        """Delete an object, or its version `VersionId`."""
        self.client("s3").delete_object(Bucket=self.stack["BucketName"], Key=key, **version)
        self.tally.faults["a file changed"] += 1

    def deliver_again(self, run: Run, number: int = 1) -> list[str]:
        """Deliver the event of an upload again, under execution names of its own, as EventBridge does."""
        (first, *_) = eventually(lambda: self.executions_of(run))
        event = self.describe(first)["input"]
        machine = self.stack["StateMachineArn"]
        self.tally.events += number
        return [
            self.client("stepfunctions").start_execution(stateMachineArn=machine, input=event)["executionArn"]
            for _ in range(number)
        ]

    # Functions and processes

    def deliver(self, function: str, event: dict[str, Any]) -> None:
        """Call a function, by its logical id, once, whatever becomes of it."""
        self.client("lambda").invoke(FunctionName=self.stack[function], Payload=json.dumps(event))

    def invoke(self, function: str, event: dict[str, Any], *, asynchronously: bool = False) -> str:
        """Deliver an event to a function, by its logical id; returns its response or its error."""

        def answer() -> str | None:
            found = self.client("lambda").invoke(
                FunctionName=self.stack[function],
                InvocationType="Event" if asynchronously else "RequestResponse",
                Payload=json.dumps(event),
            )
            text = str(found["Payload"].read().decode())
            # The emulator may pass an event to a process that a test has just killed.
            return None if "Runtime.HandlerError" in text else text or "{}"

        return str(eventually(answer))

    def sweep(self) -> dict[str, int]:
        """Run the sweep, as its schedule does; returns what it did."""
        done = json.loads(self.invoke("SweepFunction", {"source": "aws.scheduler"}))
        assert "errorType" not in done, done
        return dict(done)

    @contextmanager
    def crash(self, function: str, **moment: Any) -> Iterator[None]:
        """Kill a function, by its logical id, at a `moment` as in `crash_again_and_again`."""
        with self.crash_again_and_again((function, moment)):
            yield

    @contextmanager
    def crash_again_and_again(self, *crashes: tuple[str, dict[str, Any]]) -> Iterator[None]:
        """Kill functions, by their logical ids, one after the other, each at its moment.

        A moment is right `before` or `after` an operation, optionally the `first` such call of these and one
        `containing` a text. The calls have to come, in this order, of what is done while this is entered;
        leaving it waits for each of them.
        """
        for _, moment in crashes:
            moment = dict(moment)
            drop = "after" if "after" in moment else "before"
            self.fault(moment.pop(drop), drop=drop, delay=RUN_SECONDS, **moment)
        try:
            yield
            for rule, (function, _) in enumerate(crashes):
                self._until_applied(rule, 1)
                self._kill_function(function)
        finally:
            self.heal()

    def _kill_function(self, function: str) -> None:
        self._kill(lambda: processes("cwd", str(self.work), f"ministack-lambda-{self.stack[function]}-"))

    def kill_job(self, name: str) -> None:
        """Wait until a job whose name contains this is running, and kill it."""

        def one_job() -> list[int]:
            found = self._jobs(name)
            return [pid for pid in found if container_of(pid) == container_of(found[0])]

        self._kill(one_job)

    def reclaim_instance(self, training_job: str, seconds: float = 0.0) -> None:
        """Reclaim the spot instance of a training job; another one is available after `seconds`."""
        self._ask("reclaim", {"training_job": training_job, "seconds": seconds})
        self.tally.killed += 1

    @contextmanager
    def withheld(self, rule: str) -> Iterator[None]:
        """While entered, the events of a rule, by its logical id, are not delivered."""
        events, name = self.client("events"), self.stack[rule].rpartition("/")[2]
        events.disable_rule(Name=name)
        try:
            yield
        finally:
            events.enable_rule(Name=name)

    def running_jobs(self, run: Run, step: str = "") -> list[int]:
        """The processes of a run's jobs: `preprocess`, `evaluate`, `predict` or all."""
        return self._jobs(f"{run.run_id}-{step}")

    def _jobs(self, name: str) -> list[int]:
        """The processes of jobs whose name contains this: they have the job's folder mounted, or work in it."""
        texts = (str(self.work), name)
        return processes("mountinfo", *texts) or processes("cwd", *texts)

    def _kill(self, find: Callable[[], list[int]]) -> None:
        deadline = time.monotonic() + RUN_SECONDS
        # Some live for a moment only, so nothing is waited for between two looks.
        while not (victims := find()):
            assert time.monotonic() < deadline, "nothing to kill came"
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        self.tally.killed += len(victims)

    def functions_running(self) -> int:
        """The number of running invocations."""
        return int(self._ask("functions")["running"])

    def until_functions_end(self) -> None:
        """Wait until no function is running: after its mail, it still has to record that it was sent."""
        eventually_none(self.functions_running, RUN_SECONDS)

    # State of the stack

    def describe(self, execution_arn: str) -> dict[str, Any]:
        return dict(self.client("stepfunctions").describe_execution(executionArn=execution_arn))

    def was_reported(self, execution_arn: str) -> bool:
        """Whether a function has recorded that the execution's end was reported, or need not be."""
        found = self.describe(execution_arn)
        return "sent_at" in self.item(
            f"told#{execution_arn}#{found['status']}#{found.get('redriveCount', 0)}"
        )

    def item(self, pk: str) -> dict[str, Any]:
        """An item of the table, empty if it does not exist."""
        found = self.client("dynamodb").get_item(
            TableName=self.stack["TableName"], Key={"pk": {"S": pk}}, ConsistentRead=True
        )
        return dict(found.get("Item", {}))

    def forget(self, pk: str) -> None:
        """Delete an item of the table: a sweep reads all open requests, and need not read those of earlier tests."""
        self.client("dynamodb").delete_item(TableName=self.stack["TableName"], Key={"pk": {"S": pk}})

    def executions_of(self, run: Run) -> list[str]:
        """The ARNs of all executions that an upload started, newest first."""
        with self._executions_lock:
            self._executions = self._new_executions() | self._executions
            return [arn for arn, file in self._executions.items() if file == (run.key, run.version_id)]

    def _new_executions(self) -> dict[str, tuple[str, str]]:
        """Key and version of what started each execution since the last look, newest first."""
        found: dict[str, tuple[str, str]] = {}
        pages = (
            self.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=self.stack["StateMachineArn"], PaginationConfig={"PageSize": 20})
        )
        for page in pages:
            arns = [entry["executionArn"] for entry in page["executions"]]
            for arn in arns:
                if arn not in self._executions:
                    uploaded = json.loads(self.describe(arn)["input"])["detail"]["object"]
                    found[arn] = (uploaded["key"], uploaded["version-id"])
            # All that are older than one of the last look were there as well.
            if not found.keys() >= set(arns):
                break
        return found

    def mails(self) -> list[Mail]:
        """Everything in the mailbox, oldest first."""
        with self._mails_lock:
            new = self._ask(f"mails?after={len(self._mails)}")
            self._mails += [Mail(mail["topic"], mail["subject"], mail["text"]) for mail in new]
            return list(self._mails)

    def until_a_mail(self, seconds: int, after: int) -> None:
        """Wait so long at most for another mail than the first ones, so many as `after` says."""
        self._ask(f"mails?after={after}&wait={seconds}")

    def permissions(self) -> list[dict[str, Any]]:
        """Every distinct policy decision so far, with the answer."""
        return list(self._ask("permissions"))

    def messages(self, queue: str) -> list[str]:
        """Take the bodies of the messages out of a queue, by its logical id."""
        found = self.client("sqs").receive_message(QueueUrl=self.stack[queue], MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", [])]

    def objects(self, prefix: str) -> dict[str, str]:
        """Keys and hashes of the objects in the bucket."""
        pages = (
            self.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self.stack["BucketName"], Prefix=prefix)
        )
        return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}

    @contextmanager
    def instead_of(self, step: str, content: str) -> Iterator[None]:
        """While entered, the jobs of this step, `preprocess` or `evaluate`, run this."""
        instead = f"import sys\nif sys.argv[1] == {step!r}:\n    exec({content!r})\n    sys.exit()\n"
        with self._changed("__main__.py", lambda original: instead + original):
            yield

    @contextmanager
    def script(self, name: str, content: str, *, after: str) -> Iterator[None]:
        """While entered, jobs run this in a file of the workload, after these words."""

        def change(original: str) -> str:
            assert after in original
            return original.replace(after, after + content, 1)

        with self._changed(f"auto_mpg/{name}", change):
            yield

    @contextmanager
    def _changed(self, path: str, change: Callable[[str], str]) -> Iterator[None]:
        """While entered, this file of the processing jobs' program is another."""
        (key,) = [key for key in self.objects("code/") if key.endswith("/code.zip")]
        s3, place = self.client("s3"), {"Bucket": self.stack["BucketName"], "Key": key}
        original = s3.get_object(**place)["Body"].read()
        s3.put_object(**place, Body=_replaced(original, path, change))
        try:
            yield
        finally:
            s3.put_object(**place, Body=original)

    @contextmanager
    def definition(self, state: str, **changes: Any) -> Iterator[None]:
        """While entered, executions start with changed fields of a state, such as shorter limits."""
        machine, client = self.stack["StateMachineArn"], self.client("stepfunctions")
        original = client.describe_state_machine(stateMachineArn=machine)["definition"]
        changed = json.loads(original)
        _change(changed["States"][state], changes)
        client.update_state_machine(stateMachineArn=machine, definition=json.dumps(changed))
        try:
            yield
        finally:
            client.update_state_machine(stateMachineArn=machine, definition=original)

    def settle(self) -> None:
        """Add the outcome of a test's uploads to the tally. Fails if the outcome is not allowed.

        Waits until no function is at work: one of its calls would meet the next test's faults.
        """
        self.until_functions_end()
        known, runs, self.runs = self.tally.problems, self.runs, []
        for run in runs:
            run.settle(self.tally)
        self._settled += runs
        assert self.tally.problems == known

    def settle_mails(self) -> None:
        """Check all uploads so far again, for mails that arrived after their test. Fails on an extra one."""
        mails = self.mails()
        for run in self._settled:
            run.settle_mails(self.tally, mails)
        assert self.tally.problems == []


def without(rows: int) -> bytes:
    """The sample without that many rows at its end."""
    return b"\n".join(SAMPLE.splitlines()[:-rows]) + b"\n"


def processes(what: str, *texts: str) -> list[int]:
    """Ids of the processes that have all these texts in `cmdline`, `mountinfo`, or the path of their `cwd`."""
    found, ours = [], Path("/proc/self/ns/mnt").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # Whose mounts are ours is in no container. A list of mounts takes long to read.
            if what == "mountinfo" and (process / "ns/mnt").readlink() == ours:
                continue
            path = process / what
            content = str(path.readlink()) if what == "cwd" else path.read_bytes().decode(errors="replace")
        except OSError:
            continue  # It ended meanwhile, or is not ours.
        if all(text in content for text in texts):
            found.append(int(process.name))
    return found


def container_of(pid: int) -> tuple[Path, ...]:
    """What the processes of one job share: their mounts or, without namespaces, their folder."""
    try:
        return tuple(Path(f"/proc/{pid}/{link}").readlink() for link in ("ns/mnt", "cwd"))
    except OSError:
        return ()  # It ended meanwhile.


def _change(fields: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(fields[name], dict):
            _change(fields[name], value)
        else:
            assert name in fields, name
            fields[name] = value


def _replaced(archive: bytes, path: str, change: Callable[[str], str]) -> bytes:
    """The zip file with one file changed."""
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    return to_zip(files | {path: change(files[path].decode()).encode()})


def _does_something(rule: dict[str, Any]) -> bool:
    return bool(rule["error"] or rule["delay"] or rule["drop"])

"""Which service quotas the pipeline needs, and whether the account has them.

A new AWS account often has a quota of 0 for an instance type. SageMaker would say so with
ResourceLimitExceeded, after the first upload; raising a quota can take a day. So look before the first
deployment: `mpg quotas`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import boto3

from common.workload import find_workloads
from deploy.settings import Settings

# Lambda keeps this many executions free for functions without a reservation.
_UNRESERVED_MINIMUM = 100
# The state machine's three Lambdas, the page and the two event handlers, with some headroom.
_CONCURRENT_LAMBDAS = 10
_SERVERLESS_CONCURRENCY = "L-96300102"
_RESERVATIONS = ("ReviewReservedConcurrency", "CatalogueReservedConcurrency")
# The limits that a workload may set to its own tuning.
_TRIALS = ("max_trials", "max_parallel_trials")


@dataclass(frozen=True)
class Need:
    """A quota by its name in Service Quotas, and how much of it one run at a time needs."""

    service: str
    name: str
    needed: int
    code: str = ""
    """Its code, where AWS documents no name. If the account lists no such quota, nothing is lacking."""


@dataclass(frozen=True)
class Finding:
    """The account's quota for a need; `quota` is None if Service Quotas does not list it in this region."""

    need: Need
    quota: Mapping[str, Any] | None

    @property
    def has(self) -> float:
        return float(self.quota["Value"]) if self.quota else 0.0

    @property
    def lacking(self) -> bool:
        return not (self.need.code and self.quota is None) and self.has < self.need.needed


def project_workloads() -> list[Mapping[str, Any]]:
    """What the project's workloads say about themselves in their `workload.json`."""
    return [workload.settings for workload in find_workloads().values()]


def needs(parameters: Mapping[str, str], workloads: Iterable[Mapping[str, Any]]) -> list[Need]:
    """The quotas that one run at a time needs, of any of the workloads (their `workload.json`).

    Concurrent runs need a multiple.
    """
    spot = "spot training" if parameters["UseSpot"] == "true" else "training"
    reserved = sum(int(parameters[name] or 0) for name in _RESERVATIONS)
    lambdas = reserved + _UNRESERVED_MINIMUM if reserved else _CONCURRENT_LAMBDAS
    needed: dict[str, int] = {}
    workloads = list(workloads)
    for workload in workloads:
        for name, instances in _instances(workload, parameters, spot):
            needed[name] = max(instances, needed.get(name, 0))
    instance_needs = [Need("sagemaker", name, instances) for name, instances in needed.items()]
    endpoint_needs = _endpoints(parameters, workloads)
    return [*instance_needs, *endpoint_needs, Need("lambda", "Concurrent executions", lambdas)]


def _instances(
    workload: Mapping[str, Any], parameters: Mapping[str, str], spot: str
) -> Iterator[tuple[str, int]]:
    """The quotas that one run of a workload needs, as the state machine asks for instances."""

    def instance_type(step: str, parameter: str) -> str:
        return str(workload[step].get("instance_type", parameters[parameter]))

    limits = [int(parameters[name]) for name in ("MaxTrials", "MaxParallelTrials")]
    limits += [workload["tuning"][name] for name in _TRIALS if name in workload["tuning"]]
    processing, training, transform = (
        int(parameters[f"{kind}InstanceCount"]) for kind in ("Processing", "Training", "Transform")
    )
    # These two run one after the other.
    for step in ("preprocessing", "evaluation"):
        yield f"{instance_type(step, 'ProcessingInstanceType')} for processing job usage", processing
    yield f"{instance_type('training', 'TrainingInstanceType')} for {spot} job usage", min(limits) * training
    yield f"{instance_type('batch', 'TransformInstanceType')} for transform job usage", transform


def _endpoints(parameters: Mapping[str, str], workloads: Sequence[Mapping[str, Any]]) -> Iterator[Need]:
    """The quotas that an endpoint for each of the workloads needs, all in service at the same time."""
    if parameters["EndpointType"] == "serverless":
        concurrency = len(workloads) * int(parameters["EndpointMaxConcurrency"])
        yield Need(
            "sagemaker", "total concurrency of serverless endpoints", concurrency, _SERVERLESS_CONCURRENCY
        )
    if parameters["EndpointType"] == "instance":
        # An update runs the new instances beside the old ones.
        instances = 2 * max(
            int(parameters[name]) for name in ("EndpointInstanceCount", "EndpointMaxInstanceCount")
        )
        types = Counter(
            str(workload.get("endpoint", {}).get("instance_type", parameters["EndpointInstanceType"]))
            for workload in workloads
        )
        for kind, count in types.items():
            yield Need("sagemaker", f"{kind} for endpoint usage", count * instances)


def check(client: Any, wanted: Sequence[Need]) -> list[Finding]:
    """Look each need up. `client` is boto3's `service-quotas`."""
    found = {
        service: _look_up(
            client, service, {need.code or need.name for need in wanted if need.service == service}
        )
        for service in {need.service for need in wanted}
    }
    return [Finding(need, found[need.service].get(need.code or need.name)) for need in wanted]


def report(findings: Sequence[Finding], region: str) -> Iterator[str]:
    """The table, then how to request each lacking quota."""
    width = max(len(finding.need.name) for finding in findings)
    yield f"{'quota':<{width}}  needed  account has"
    for finding in findings:
        has = f"{finding.has:g}" if finding.quota else "not listed"
        mark = "  <- too little" if finding.lacking else ""
        yield f"{finding.need.name:<{width}}  {finding.need.needed:>6}  {has}{mark}"
    for finding in findings:
        if finding.lacking:
            yield ""
            yield from _way_out(finding, region)


def _way_out(finding: Finding, region: str) -> Iterator[str]:
    need, quota = finding.need, finding.quota
    if quota is None:
        yield f"{region} has no quota named {need.name!r}: is the instance type right, and offered there?"
        return
    yield f"Request {need.name!r}:"
    yield (
        f"  aws service-quotas request-service-quota-increase --region {region} --service-code {need.service}"
        f" --quota-code {quota['QuotaCode']} --desired-value {need.needed}"
    )
    yield (
        f"  or https://{region}.console.aws.amazon.com/servicequotas/home/services/{need.service}"
        f"/quotas/{quota['QuotaCode']}"
    )


def _look_up(client: Any, service: str, names: Set[str]) -> dict[str, Mapping[str, Any]]:
    # In some regions, quotas that were never changed are missing from the account's own values.
    found: dict[str, Mapping[str, Any]] = {}
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        if names <= found.keys():
            break
        for page in client.get_paginator(operation).paginate(ServiceCode=service):
            for quota in page["Quotas"]:
                for known in names & {quota["QuotaName"], quota["QuotaCode"]}:
                    found.setdefault(known, quota)
    return found


def check_account(settings: Settings, region: str | None) -> bool:
    """Print the table for the account of the credentials; returns whether it has every quota."""
    client = boto3.client("service-quotas", region_name=region or settings.region)
    findings = check(client, needs(settings.parameters, project_workloads()))
    print("\n".join(report(findings, client.meta.region_name)))
    return not any(finding.lacking for finding in findings)

"""Account quotas: how many instances of a type a kind of job may use at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from local.sagemaker.errors import ServiceError
from local.sagemaker.kinds import (
    ENDPOINT,
    ENDPOINT_CONFIG,
    JOBS,
    PROCESSING,
    TRANSFORM,
    TUNING,
    Json,
    Kind,
    cluster_of,
)
from local.sagemaker.store import Store


def usage(kind: Kind, fields: Json) -> tuple[str, int]:
    """The quota of a job, by its name in Service Quotas, and the number of instances that the job needs."""
    config = cluster_of(kind, fields)
    if kind in (PROCESSING, TRANSFORM):
        return f"{config['InstanceType']} for {kind.name} job usage", config["InstanceCount"]
    definition = fields["TrainingJobDefinition"] if kind is TUNING else fields
    spot = "spot " if definition.get("EnableManagedSpotTraining") else ""
    jobs = 1
    if kind is TUNING:
        jobs = fields["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
    return f"{config.get('InstanceType')} for {spot}training job usage", jobs * config.get("InstanceCount", 1)


def check_quota(kind: Kind, fields: Json, store: Store, quotas: Mapping[str, int]) -> None:
    """Raise `ResourceLimitExceeded` if a new job would exceed its quota. Call it with the lock held."""
    name, wanted = usage(kind, fields)
    if name not in quotas:
        return
    used = 0
    for record in (record for each in JOBS.values() for record in store.all(each) if not record.ended):
        its_name, instances = usage(record.kind, record.fields)
        # A tuning job's instances are counted once, with the tuning job.
        if its_name == name and "TuningJobArn" not in record.fields:
            used += instances
    _refuse_more(name, wanted, used, quotas)


def endpoint_usage(config: Json) -> Counter[str]:
    """The instances that an endpoint with this configuration needs, by their quotas."""
    used: Counter[str] = Counter()
    for variant in config["ProductionVariants"]:
        if "InstanceType" in variant:
            used[f"{variant['InstanceType']} for endpoint usage"] += variant["InitialInstanceCount"]
    return used


def check_endpoint_quota(config: Json, store: Store, quotas: Mapping[str, int]) -> None:
    """The same for a new endpoint. Call it with the lock held."""
    used: Counter[str] = Counter()
    for endpoint in store.all(ENDPOINT):
        found = store.find(ENDPOINT_CONFIG, endpoint.fields["EndpointConfigName"])
        used += endpoint_usage(found.fields) if found else Counter()
    for name, wanted in endpoint_usage(config).items():
        if name in quotas:
            _refuse_more(name, wanted, used[name], quotas)


def _refuse_more(name: str, wanted: int, used: int, quotas: Mapping[str, int]) -> None:
    if used + wanted > quotas[name]:
        raise ServiceError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{name}' is {quotas[name]} Instances, with current utilization "
            f"of {used} Instances and a request delta of {wanted} Instances. Please use AWS Service Quotas "
            "to request an increase for this quota. If AWS Service Quotas is not available, contact AWS "
            "support to request an increase for this quota.",
        )

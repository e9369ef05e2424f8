"""All containers of one deployment of an endpoint configuration."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

from local.sagemaker.endpoints.instance import Instance
from local.sagemaker.endpoints.variant import Variant
from local.sagemaker.kinds import Json


class Fleet:
    """The variants of an endpoint configuration, with containers of their own."""

    def __init__(self, config: Json, variants: list[Variant], images: dict[str, Json], folder: Path) -> None:
        self.config = config
        self.variants = {variant.name: variant for variant in variants}
        # The image of each variant, in the form of `DeployedImages`.
        self._images = images
        self._folder = folder

    @property
    def instances(self) -> int:
        """The number of instances of all variants."""
        return sum(variant.instances for variant in self.variants.values())

    @property
    def role_arn(self) -> str:
        """A role of its models."""
        return next(iter(self.variants.values())).hosted.role_arn

    def wait_until_healthy(self) -> None:
        """Block until every container has started. Raises `JobFailed`."""
        for variant in self.variants.values():
            variant.wait_until_healthy()

    def choose(self, name: str | None = None) -> Variant | None:
        """The variant of that name, or any, by their weights; None if there is none."""
        if name is not None:
            return self.variants.get(name)
        variants = list(self.variants.values())
        if len(variants) == 1:
            return variants[0]
        weights = [variant.weight for variant in variants]
        return random.choices(variants, weights if any(weights) else None)[0]  # noqa: S311 - no secret

    def summaries(self) -> list[Json]:
        """The `ProductionVariants` of DescribeEndpoint."""
        return [self._summary(variant) for variant in self.variants.values()]

    def _summary(self, variant: Variant) -> Json:
        shown: Json = {
            "VariantName": variant.name,
            "DeployedImages": [self._images[variant.name]],
            "CurrentWeight": variant.weight,
            "DesiredWeight": variant.weight,
        }
        if serverless := variant.hosted.serverless:
            # SageMaker shows no instances of a serverless variant, but a count of 0.
            counts = {"CurrentInstanceCount": 0}
            return (
                shown
                | counts
                | {"CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
            )
        return shown | {"CurrentInstanceCount": variant.instances, "DesiredInstanceCount": variant.instances}

    def retire(self) -> list[Instance]:
        """Stop every container, after the request that it has; returns at once."""
        return [instance for variant in self.variants.values() for instance in variant.stop()]

    def stop(self) -> None:
        """The same, but wait for it and leave nothing behind."""
        for instance in self.retire():
            instance.join()
        shutil.rmtree(self._folder, ignore_errors=True)


def deployed_image(uri: str, digest: str) -> Json:
    """An image in the form of `DeployedImages`."""
    resolved = f"{uri.rpartition(':')[0]}@{digest}"
    return {"SpecifiedImage": uri, "ResolvedImage": resolved, "ResolutionTime": time.time()}

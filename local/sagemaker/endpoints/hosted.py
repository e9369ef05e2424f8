"""What the containers of a variant run: image, model and settings, read once when they are deployed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from local.sagemaker.engines.images import Image, find_image
from local.sagemaker.errors import JobFailed
from local.sagemaker.jobs import Backend
from local.sagemaker.kinds import Json, memory_of
from local.sagemaker.storage import Storage

# The default of ContainerStartupHealthCheckTimeoutInSeconds.
STARTUP_SECONDS = 480


@dataclass(frozen=True)
class Hosted:
    """A variant's container, as CreateEndpoint found it; later changes of the model do not affect it."""

    endpoint: str
    variant: Json
    role_arn: str
    image: Image
    environment: dict[str, str]
    isolated: bool
    # The archives of the model and of the script that it names by its URI, if it has them.
    model: Path | None
    script: Path | None

    @property
    def name(self) -> str:
        """The variant's name."""
        return str(self.variant["VariantName"])

    @property
    def serverless(self) -> Json | None:
        """Its `ServerlessConfig`, None for one with instances."""
        return self.variant.get("ServerlessConfig")

    @property
    def memory_bytes(self) -> int | None:
        """The memory of one container."""
        if self.serverless:
            return int(self.serverless["MemorySizeInMB"]) << 20
        return memory_of(self.variant["InstanceType"])

    @property
    def startup_seconds(self) -> float:
        """How long a container may take to get healthy."""
        return float(self.variant.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_SECONDS))


def host(
    backend: Backend, endpoint: str, variant: Json, model: Json, container: Json, folder: Path
) -> Hosted:
    """Fetch what a variant's containers need into a folder, as the model's role. Raises `JobFailed`."""
    role = model["ExecutionRoleArn"]
    storage = Storage(backend.clients.client("s3", role), role, backend.store.region)
    environment = dict(container.get("Environment", {}))
    isolated = bool(model.get("EnableNetworkIsolation"))
    submitted = environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    return Hosted(
        endpoint=endpoint,
        variant=variant,
        role_arn=role,
        image=find_image(container["Image"], backend.store.region),
        environment=environment,
        isolated=isolated,
        model=_fetch(storage, container.get("ModelDataUrl", ""), folder / f"{variant['VariantName']}.model"),
        script=None if isolated else _fetch(storage, submitted, folder / f"{variant['VariantName']}.script"),
    )


def _fetch(storage: Storage, uri: str, path: Path) -> Path | None:
    if not uri.startswith("s3://"):
        return None
    try:
        content = storage.read_uri(uri)
    except JobFailed as failed:
        raise JobFailed(
            f'Failed to download model data for container "container_1" from URL: "{uri}". Please ensure '
            "that there is an object located at the URL and that the role passed to CreateModel has "
            "permissions to download the object."
        ) from failed
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path

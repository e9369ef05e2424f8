"""Training job in script mode: fits the network to the prepared images.

SageMaker's toolkit sets the SM_ variables and passes hyperparameters as `--name value`; with these variables,
the script runs anywhere. The tuning job reads `validation:accuracy` from its output (`metric_definitions` in
workload.json).
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

# The toolkit puts the folder of all workloads on the path. This line does it when a person runs the script.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from digits import CLASSES, SIDE, checkpoint
from digits.augmentation import distort
from digits.model import Network

CHECKPOINT = "checkpoint.pth"
_SCORING_BATCH = 1000


class CannotTrain(Exception):
    """Something that training needs is missing or unusable; `str(error)` says what to do."""


@dataclass(frozen=True)
class Settings:
    learning_rate: float
    """The peak of the one-cycle schedule."""
    weight_decay: float
    dropout: float
    batch_size: int
    epochs: int
    seed: int


@dataclass(frozen=True)
class Images:
    pixels: Tensor
    """uint8, (images, 28, 28)"""
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def train(settings: Settings, training: Images, validation: Images, kept: Path | None = None) -> Network:
    """Fit a network, from the checkpoint `kept` if it exists, and print its metrics after each epoch.

    On one thread, the same settings and images give the same network, resumed or not. Raises CannotTrain.
    """
    torch.manual_seed(settings.seed)
    network = Network(settings.dropout)
    network.to(training.pixels.device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = settings.epochs * math.ceil(len(training) / settings.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps)
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule}
    for epoch in range(checkpoint.resume(kept, asdict(settings), parts) + 1, settings.epochs + 1):
        # Each epoch has a seed of its own, so that a resumed run draws the same numbers.
        torch.manual_seed(settings.seed + epoch)
        loss = _train_epoch(network, optimizer, schedule, training, settings.batch_size)
        if not math.isfinite(loss):
            raise CannotTrain(f"the loss became {loss} in epoch {epoch}; try a smaller learning rate")
        validation_loss, accuracy = score(network, validation)
        print(
            f"epoch {epoch}/{settings.epochs}: train:loss={loss:.4f} "
            f"validation:loss={validation_loss:.4f} validation:accuracy={accuracy:.4f}",
            flush=True,
        )
        checkpoint.save(kept, epoch, asdict(settings), parts)
    return network


def _train_epoch(
    network: Network,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    images: Images,
    batch_size: int,
) -> float:
    """One pass over the images in random order; returns the mean loss."""
    network.train()
    total = torch.zeros((), device=images.pixels.device)
    for batch in torch.randperm(len(images)).to(images.pixels.device).split(batch_size):
        loss = functional.cross_entropy(network(distort(images.pixels[batch].float())), images.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.detach() * len(batch)
    return float(total) / len(images)


def score(network: nn.Module, images: Images) -> tuple[float, float]:
    """Mean loss and accuracy."""
    network.eval()
    with torch.inference_mode():
        parts = images.pixels.split(_SCORING_BATCH)
        scores = torch.cat([network(part.float()) for part in parts])
    hits = scores.argmax(dim=1) == images.labels
    return float(functional.cross_entropy(scores, images.labels)), float(hits.float().mean())


def save(network: Network, folder: Path) -> None:
    """Write `model.pth`, the weights for `model.Network`, and `model.pt`, a TorchScript program."""
    folder.mkdir(parents=True, exist_ok=True)
    network = network.cpu().eval()
    torch.save(network.state_dict(), folder / "model.pth")
    torch.jit.script(network).save(folder / "model.pt")


def read_channel(name: str, device: torch.device) -> Images:
    """The images of a channel, as preprocessing wrote them. Raises CannotTrain."""
    variable = f"SM_CHANNEL_{name.upper()}"
    folder = Path(_environment(variable, f"the channel {name} is missing"))
    try:
        # A pickle could execute code.
        pixels, labels = (np.load(folder / f"{n}.npy", allow_pickle=False) for n in ("images", "labels"))
    except FileNotFoundError as error:
        raise CannotTrain(f"the channel {name} has no file {Path(error.filename).name} in {folder}") from None
    except (ValueError, EOFError, OSError):
        raise CannotTrain(f"a file of the channel {name} in {folder} is no NumPy array") from None
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (SIDE, SIDE) or not len(pixels):
        raise CannotTrain(f"the channel {name} holds no images of {SIDE} x {SIDE} bytes: {pixels.shape}")
    if labels.shape != pixels.shape[:1] or not set(np.unique(labels)) <= set(range(CLASSES)):
        raise CannotTrain(f"the channel {name} has not a label from 0 to {CLASSES - 1} for each image")
    return Images(torch.from_numpy(pixels).to(device), torch.from_numpy(labels.astype(np.int64)).to(device))


def _environment(variable: str, problem: str) -> str:
    if not (value := os.environ.get(variable)):
        raise CannotTrain(f"{problem}: {variable} is not set")
    return value


def _own_checkpoint(folder: Path | None) -> Path | None:
    """Where this job keeps its state. The trials of a search may share the folder: nobody documents it."""
    return folder and folder / os.environ.get("TRAINING_JOB_NAME", "") / CHECKPOINT


def _device() -> torch.device:
    gpus = int(os.environ.get("SM_NUM_GPUS") or torch.cuda.device_count())
    return torch.device("cuda" if gpus and torch.cuda.is_available() else "cpu")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--learning-rate", type=_number(float, above=0), default=0.003)
    parser.add_argument("--weight-decay", type=_number(float, at_least=0), default=0.01)
    parser.add_argument("--dropout", type=_number(float, at_least=0, below=1), default=0.2)
    parser.add_argument("--batch-size", type=_number(int, at_least=1), default=64)
    parser.add_argument("--epochs", type=_number(int, at_least=1), default=6)
    parser.add_argument("--seed", type=_number(int, at_least=0), default=0)
    # A tuning job passes its objective to every trial.
    parser.add_argument("--_tuning_objective_metric", help=argparse.SUPPRESS)
    parser.add_argument("--checkpoints", type=Path, help="folder to keep the state in, and to resume from")
    return parser


def _number(
    kind: Callable[[str], float],
    at_least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not (at_least <= value and above < value < below):
            raise ValueError(text)
        return value

    return number


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    settings = Settings(**{name: getattr(args, name) for name in Settings.__dataclass_fields__})
    # With one thread, every machine gives the same model, and parallel trials do not compete for cores.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or 1))
    device = _device()
    print(f"{settings} on {device}")
    try:
        model_dir = Path(_environment("SM_MODEL_DIR", "there is nowhere to put the model"))
        training, validation = read_channel("train", device), read_channel("validation", device)
        network = train(settings, training, validation, _own_checkpoint(args.checkpoints))
    except CannotTrain as problem:
        # SageMaker shows the text after the name of a Python error as the reason for the failure.
        print(f"RuntimeError: {problem}", file=sys.stderr)
        return 1
    save(network, model_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())

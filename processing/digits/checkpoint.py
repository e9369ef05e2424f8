"""Saves the state of a training run, so that the loss of a spot instance costs at most an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch


class Stateful(Protocol):
    """The common interface of PyTorch's modules, optimizers and schedulers."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> object: ...


def save(path: Path | None, epoch: int, settings: Mapping[str, float], parts: Mapping[str, Stateful]) -> None:
    """Save the state after `epoch` epochs, or nothing if the path is None.

    SageMaker may copy the file at any moment, so it is replaced atomically.
    """
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()}
    unfinished = path.with_suffix(".unfinished")
    torch.save({"epoch": epoch, "settings": dict(settings), **state}, unfinished)
    unfinished.replace(path)


def resume(path: Path | None, settings: Mapping[str, float], parts: Mapping[str, Stateful]) -> int:
    """Restore the parts and return the number of finished epochs; 0 if there is nothing to restore.

    A checkpoint that is damaged, or has other settings, is ignored with a line in the log.
    """
    if path is None or not path.is_file():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["settings"] != dict(settings):
            print(f"{path} was made with other hyperparameters; training starts anew")
            return 0
        states = {name: state[name] for name in parts}
        epoch = int(state["epoch"])
    except Exception as error:  # on a damaged file, torch.load may raise anything
        print(f"{path} cannot be read ({type(error).__name__}); training starts anew")
        return 0
    for name, part in parts.items():
        part.load_state_dict(states[name])
    print(f"resumed from {path} after {epoch} epochs")
    return epoch

"""Fuzzes one target with libFuzzer's own options: `python -m tests.fuzz.one uploads -max_total_time=60 <folders>`."""

import sys
from contextlib import ExitStack
from pathlib import Path

import atheris

from tests.fuzz.targets import ROOT, TARGETS


def main(name: str, options: list[str]) -> None:
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "processing")]
    target = TARGETS[name]
    if corpus := [Path(option) for option in options if Path(option).is_dir()]:
        for number, seed in enumerate(target.seeds()):
            (corpus[0] / f"seed-{number}").write_bytes(seed)
    stack = ExitStack()
    with atheris.instrument_imports(include=list(target.modules)):
        judge = target.make(stack)
    atheris.Setup([sys.argv[0], *options], judge)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

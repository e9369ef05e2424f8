"""Fuzzes the targets one after the other, says how many inputs were tried, and keeps what fails."""

import argparse
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz.targets import ROOT, TARGETS

FOUND = ROOT / ".fuzz"
# An input that takes longer, or makes the process larger, has failed.
SECONDS, MEGABYTES = 30, 2048


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="target", help=f"of {', '.join(TARGETS)}; all by default"
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="for each target (3)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31), help="to repeat a run")
    parser.add_argument("--replay", type=Path, help="try just this input, with one target")
    args = parser.parse_args()
    if unknown := set(args.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if args.replay:
        with tempfile.TemporaryDirectory() as folder:
            code, output = _run(args.targets[0], [str(args.replay)], folder)
        print(output)
        return code
    failed = [name for name in args.targets or TARGETS if not _fuzz(name, args.minutes, args.seed)]
    return 1 if failed else 0


def _fuzz(name: str, minutes: float, seed: int) -> bool:
    FOUND.mkdir(exist_ok=True)
    before = set(FOUND.iterdir())
    print(f"{name:14} seed {seed}, {minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        limits = [
            f"-timeout={SECONDS}",
            f"-rss_limit_mb={MEGABYTES}",
            "-max_len=8192",
            "-print_final_stats=1",
        ]
        kept = f"-artifact_prefix={FOUND / name}-"
        code, output = _run(
            name,
            [f"-max_total_time={round(minutes * 60)}", f"-seed={seed}", kept, *limits, str(corpus)],
            folder,
        )
    tried = re.findall(r"number_of_executed_units: (\d+)|Done (\d+) runs", output)
    verdicts = Counter(re.findall(r"^verdict: (.*)", output, re.MULTILINE)).most_common()
    told = [
        f"{max((int(a or b) for a, b in tried), default=0):,} inputs",
        *(f"{n:,} {what}" for what, n in verdicts),
    ]
    print(f"{'':14} {', '.join(told)}", flush=True)
    if code:
        print(*output.splitlines()[-40:], sep="\n")
    for path in sorted(set(FOUND.iterdir()) - before):
        print(f"{'':14} failed; again with: python -m tests.fuzz {name} --replay {path.relative_to(ROOT)}")
    return code == 0


def _run(name: str, options: list[str], folder: str) -> tuple[int, str]:
    """Exit code and output of a process that fuzzes; it ends without tidying up, so its files go to our folder."""
    command = [sys.executable, "-m", "tests.fuzz.one", name, *options]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": folder},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


if __name__ == "__main__":
    sys.exit(main())

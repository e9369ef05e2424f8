"""Durations and sizes for people."""

import math

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


_STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400, 172_800, 432_000),
)


def round_step(seconds: float, parts: int) -> float:
    """A round duration, of which at most that many go into this one; the longest is five days."""
    return next((step for step in _STEPS if step >= seconds / parts), _STEPS[-1])


def round_durations(seconds: float, parts: int) -> list[float]:
    """The multiples of such a step from 0 to this duration."""
    step = round_step(seconds, parts)
    return [count * step for count in range(math.floor(seconds / step) + 1)]


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 1 h`: the two largest units."""
    if seconds < 10:
        return f"{round(max(seconds, 0.0), 1):g} s"
    left, parts = round(seconds), []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        parts.append(f"{count} {unit}" if count else "")
    first = next(index for index, part in enumerate(parts) if part)
    return " ".join(part for part in parts[first : first + 2] if part)


def size(count: float) -> str:
    """`812 bytes`, `17.7 KB`, `3.2 GB`."""
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"

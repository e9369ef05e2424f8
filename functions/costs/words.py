"""A run's cost in words, for mails, pages and the terminal."""

from costs.run_costs import RunCost

# What each step is called where people read.
STEP_NAMES = {"preprocess": "preparing", "tune": "tuning", "evaluate": "evaluating", "predict": "predicting"}


def usd(value: float) -> str:
    """`12.40 USD`, `0.031 USD`, `0.00067 USD`."""
    return f"{_amount(value)} USD"


def _amount(value: float) -> str:
    """Cents, or what it takes to show two digits that count."""
    if value == 0 or value >= 0.1:
        return f"{value:.2f}"
    decimals = 3
    while decimals < 6 and round(value, decimals) < 10 ** (1 - decimals):
        decimals += 1
    return f"{value:.{decimals}f}"


def cost_row(cost: RunCost | None) -> list[tuple[str, str]]:
    """The cost as a name and a value; none if it is unknown."""
    return [("Cost", sentence(cost))] if cost else []


def sentence(cost: RunCost) -> str:
    """`0.031 USD as if on AWS (preparing 0.004, tuning 0.021); spot instances saved 0.04 USD`."""
    shown = usd(cost.total) + (" as if on AWS" if cost.as_if else "")
    parts = [f"{STEP_NAMES.get(step, step)} {_amount(value)}" for step, value in cost.steps.items()]
    if parts:
        shown += f" ({', '.join(parts)})"
    if cost.spot_saving:
        shown += f"; spot instances saved {usd(cost.spot_saving)}"
    if cost.unknown:
        shown += f"; without {', '.join(cost.unknown)}, whose price is unknown"
    return shown


def notes(cost: RunCost) -> list[str]:
    """Whole sentences about what the figures do not show."""
    return [
        *(["The jobs ran on an embedded AWS. AWS would bill this for the same seconds."] * cost.as_if),
        *([f"Spot instances saved {usd(cost.spot_saving)}."] if cost.spot_saving else []),
        *(f"No price is known for {each}; it is left out." for each in cost.unknown),
    ]


def by_step(cost: RunCost) -> list[tuple[str, str]]:
    """What each step is called, and its amount."""
    return [(STEP_NAMES.get(step, step), usd(amount)) for step, amount in cost.steps.items()]

"""Problems that a person can do something about."""


class Trouble(Exception):
    """Something outside the program failed: what it is, the way out, and the output that shows it.

    `what` is one sentence without its full stop; `way_out` is whole sentences.
    """

    def __init__(self, what: str, way_out: str = "", output: str = "") -> None:
        super().__init__(what, way_out, output)
        self.what = what
        self.way_out = way_out
        self.output = output

    def __str__(self) -> str:
        return f"{self.what}. {self.way_out}".strip()

"""Problems that a person can do something about."""


class Trouble(Exception):
    """Something outside the pipeline failed: what it is, the way out, and the output that shows it."""

    def __init__(self, what: str, way_out: str = "", output: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.way_out = way_out
        self.output = output

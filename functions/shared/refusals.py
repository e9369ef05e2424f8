"""A request that is refused, in words for the caller."""

from shared.telemetry import PublicError


class Refused(PublicError):
    """`status` is the HTTP status of the answer; after `retry_after` seconds, asking again may help."""

    def __init__(self, status: int, text: str, retry_after: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after

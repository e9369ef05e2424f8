"""The catalogue of a running `mpg up`, as whoever has a link to it sees it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from tests.e2e.up import Asked, Up
from tests.e2e.visitor import look

WORKLOAD = "auto_mpg"


@dataclass(frozen=True)
class Catalogue:
    """An approved model, and a link to the catalogue."""

    up: Up
    asked: Asked
    link: str

    @property
    def version(self) -> int:
        return int(self.asked.package_arn.rpartition("/")[2])

    @property
    def link_hash(self) -> str:
        return hashlib.sha256(self.link.split("/")[-2].encode()).hexdigest()

    def get(self, rest: str) -> Any:
        """JSON below the link."""
        answer = look(f"{self.link}{rest}")
        assert answer.status == 200, answer.html
        return json.loads(answer.html)

    def model(self, of: str = "native") -> Any:
        """A link to the model's file."""
        return self.get(f"models/{WORKLOAD}/{self.version}/{of}")

    def put(self, pk: str, **values: dict[str, str]) -> None:
        """Write an item of the table, in the JSON of DynamoDB."""
        table = self.up.outputs["TableName"]
        self.up.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": pk}, **values})

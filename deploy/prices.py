"""Makes `functions/costs/prices.json` from AWS's price list of SageMaker.

    python -m deploy.prices SOURCE --region eu-central-1 [--region ...]

SOURCE is the JSON form of the offer AmazonSageMaker, as a file or as an https address. AWS publishes one for
each region, listed in https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonSageMaker/current/region_index.json;
https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-file-for-services.html
describes the layout. The prices of these regions replace all that the table had of them.
"""

import argparse
import json
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.problems import Trouble

TABLE = Path(__file__).resolve().parents[1] / "functions/costs/prices.json"
OFFER = "AmazonSageMaker"
_SECONDS = 120
# `USE1-Train:ml.m5.large`; the region's prefix can be missing.
_INSTANCE = re.compile(r"(?:[A-Z0-9]+-)?(Processing|Train|Tsform|Host):(ml\.[a-z0-9-]+\.[a-z0-9-]+)")
_KINDS = {"Processing": "processing", "Train": "training", "Tsform": "transform", "Host": "hosting"}
_SERVERLESS = re.compile(r"(?:[A-Z0-9]+-)?ServerlessInf:Mem-(\d+)GB")

Json = Mapping[str, Any]
Regions = dict[str, dict[str, dict[str, float]]]


def read_offer(text: str) -> Json:
    """The price list in this text. Raises Trouble if it is none of SageMaker."""
    try:
        offer = json.loads(text)
    except ValueError:
        offer = None
    if not isinstance(offer, dict) or offer.get("offerCode") != OFFER:
        raise Trouble(
            f"This is no price list of {OFFER} in JSON",
            "Its first lines say which offer it is; the CSV form is not read.",
        )
    return offer


def prices_of(offer: Json, wanted: Sequence[str]) -> Regions:
    """USD by region, kind and instance type; of serverless endpoints, by GB and second.

    Raises Trouble for a region without a single price.
    """
    found: Regions = {}
    for region, kind, name, usd in _priced(offer):
        if region in wanted:
            found.setdefault(region, {}).setdefault(kind, {})[name] = usd
    if missing := [region for region in wanted if region not in found]:
        raise Trouble(
            f"The price list has no prices for {', '.join(missing)}", "AWS publishes one for each region."
        )
    return {
        region: {kind: dict(sorted(found[region][kind].items())) for kind in sorted(found[region])}
        for region in sorted(found)
    }


def merged(table: Json, prices: Regions, source: str, date: str) -> dict[str, Any]:
    """The table with these prices; other lists lose what they said of the same regions."""
    kept = []
    for each in table["lists"]:
        others = {name: of for name, of in each["regions"].items() if name not in prices}
        if others:
            kept.append({**each, "regions": others})
    own = {"source": source, "date": date, "regions": prices}
    return {**table, "lists": sorted([*kept, own], key=lambda one: str(one["date"]))}


def _priced(offer: Json) -> Iterator[tuple[str, str, str, float]]:
    """Region, kind, instance type and USD of every product that the pipeline may use."""
    for sku, product in offer["products"].items():
        attributes = product.get("attributes", {})
        usage, region = str(attributes.get("usagetype", "")), str(attributes.get("regionCode", ""))
        usd = _on_demand(offer, sku)
        if usd is None or not region:
            continue
        if found := _INSTANCE.fullmatch(usage):
            yield region, _KINDS[found[1]], found[2], usd
        elif found := _SERVERLESS.fullmatch(usage):
            yield region, "serverless", "gb-second", round(usd / int(found[1]), 10)


def _on_demand(offer: Json, sku: str) -> float | None:
    """The price of the first unit, in USD; None without one."""
    for term in offer["terms"].get("OnDemand", {}).get(sku, {}).values():
        for dimension in term["priceDimensions"].values():
            if dimension.get("beginRange", "0") == "0" and "USD" in dimension["pricePerUnit"]:
                return float(dimension["pricePerUnit"]["USD"]) or None
    return None


def _read(source: str) -> str:
    if source.startswith("https://"):
        with urllib.request.urlopen(source, timeout=_SECONDS) as answer:  # noqa: S310 - https, as checked
            return str(answer.read().decode())
    try:
        return Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise Trouble(f"{source} cannot be read: {error.strerror}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(prog="python -m deploy.prices", description="Write the table of prices.")
    parser.add_argument("source", help="file or https address of SageMaker's price list in JSON")
    parser.add_argument("--region", action="append", required=True, help="a region to take the prices of")
    given = parser.parse_args(arguments)
    try:
        offer = read_offer(_read(given.source))
        prices = prices_of(offer, given.region)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    source = f"AWS price list of {OFFER}, version {offer['version']}"
    table = merged(
        json.loads(TABLE.read_text(encoding="utf-8")), prices, source, str(offer["publicationDate"])[:10]
    )
    TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    print(f"{TABLE.name}: {', '.join(prices)}, as of {offer['publicationDate']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

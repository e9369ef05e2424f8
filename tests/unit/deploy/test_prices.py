"""The table of prices is made from AWS's price list, in its documented layout, and from nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from costs.prices import FILE
from deploy import prices
from deploy.problems import Trouble

REGION = "eu-central-1"


def product(usage: str, usd: str, **attributes: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A product and its terms, as in the documentation of the price list's JSON."""
    family = "ML Serverless" if "Serverless" in usage else "ML Instance"
    own = {
        "servicecode": "AmazonSageMaker",
        "regionCode": REGION,
        "usagetype": usage,
        "operation": "RunInstance",
    }
    rate = {
        "rateCode": "SKU.JRTCKXETXF.6YS6EN2CT7",
        "unit": "Hrs",
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"{usd} for {usage}",
        "appliesTo": [],
        "pricePerUnit": {"USD": usd},
    }
    term = {
        "offerTermCode": "JRTCKXETXF",
        "effectiveDate": "2026-11-01T00:00:00Z",
        "priceDimensions": {"SKU.JRTCKXETXF.6YS6EN2CT7": rate},
        "termAttributes": {},
    }
    return {"productFamily": family, "attributes": own | attributes}, {"SKU.JRTCKXETXF": term}


def offer(*products: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    named = {f"SKU{number}": each for number, each in enumerate(products)}
    return {
        "formatVersion": "v1.0",
        "offerCode": "AmazonSageMaker",
        "version": "20261101000000",
        "publicationDate": "2026-11-01T00:00:00Z",
        "products": {sku: {"sku": sku, **each[0]} for sku, each in named.items()},
        "terms": {"OnDemand": {sku: each[1] for sku, each in named.items()}},
    }


EXCERPT = offer(
    product("EUC1-Train:ml.m5.large", "0.1380000000"),
    product("EUC1-Processing:ml.m5.large", "0.1380000000"),
    product("EUC1-Tsform:ml.m5.large", "0.1380000000"),
    product("EUC1-Host:ml.m5.large", "0.1380000000"),
    product("EUC1-ServerlessInf:Mem-3GB", "0.0000720000"),
    # Not what the pipeline uses: notebooks, other prices of serverless endpoints, what is free, other regions.
    product("EUC1-Notebk:ml.m5.large", "0.1380000000"),
    product("EUC1-ServerlessInf:Mem-3GB-PC", "0.0000300000"),
    product("EUC1-Train:ml.m5.xlarge", "0.0000000000"),
    product("USE1-Train:ml.m5.large", "0.1150000000", regionCode="us-east-1"),
)


def test_the_prices_of_a_region_are_found_by_usage_type() -> None:
    instance = {"ml.m5.large": 0.138}
    assert prices.prices_of(EXCERPT, [REGION]) == {
        REGION: {
            "hosting": instance,
            "processing": instance,
            "serverless": {"gb-second": 0.000024},
            "training": instance,
            "transform": instance,
        }
    }


def test_new_prices_replace_all_that_was_known_of_their_region() -> None:
    lists = [
        {
            "source": "a",
            "date": "2026-01-01",
            "regions": {REGION: {}, "us-east-1": {"hosting": {"ml.m5.large": 1}}},
        },
        {"source": "b", "date": "2026-01-02", "regions": {REGION: {"hosting": {"ml.old": 1}}}},
    ]
    made = prices.merged(
        {"currency": "USD", "lists": lists}, {REGION: {"hosting": {"ml.new": 2.0}}}, "c", "2025-01-01"
    )
    assert made == {
        "currency": "USD",
        "lists": [
            {"source": "c", "date": "2025-01-01", "regions": {REGION: {"hosting": {"ml.new": 2.0}}}},
            {"source": "a", "date": "2026-01-01", "regions": {"us-east-1": {"hosting": {"ml.m5.large": 1}}}},
        ],
    }


def test_the_command_writes_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table, source = tmp_path / "prices.json", tmp_path / "index.json"
    table.write_text(FILE.read_text(encoding="utf-8"), encoding="utf-8")
    source.write_text(json.dumps(EXCERPT), encoding="utf-8")
    monkeypatch.setattr(prices, "TABLE", table)
    assert prices.main([str(source), "--region", REGION]) == 0
    assert "eu-central-1, as of 2026-11-01" in capsys.readouterr().out
    newest = json.loads(table.read_text(encoding="utf-8"))["lists"][-1]
    assert newest["source"] == "AWS price list of AmazonSageMaker, version 20261101000000"
    assert newest["regions"] == prices.prices_of(EXCERPT, [REGION])


@pytest.mark.parametrize(
    ("content", "region", "said"),
    [
        ("{", REGION, "This is no price list of AmazonSageMaker in JSON"),
        (json.dumps({"offerCode": "AmazonEC2"}), REGION, "This is no price list of AmazonSageMaker in JSON"),
        (json.dumps(EXCERPT), "xx-nowhere-1", "The price list has no prices for xx-nowhere-1"),
        (None, REGION, "cannot be read: No such file"),
    ],
)
def test_another_file_is_refused_and_the_table_stays(
    content: str | None,
    region: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(prices, "TABLE", tmp_path / "prices.json")
    source = tmp_path / "index.json"
    if content is not None:
        source.write_text(content, encoding="utf-8")
    assert prices.main([str(source), "--region", region]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "prices.json").exists()


def test_every_committed_price_has_a_source_and_a_date() -> None:
    table = json.loads(FILE.read_text(encoding="utf-8"))
    assert table["currency"] == "USD"
    for each in table["lists"]:
        assert each["source"]
        assert len(each["date"]) == 10
        for kinds in each["regions"].values():
            assert kinds.keys() <= {"processing", "training", "transform", "hosting", "serverless"}
            assert all(usd > 0 for of in kinds.values() for usd in of.values())


def test_the_price_list_is_fetched_by_https_only() -> None:
    with pytest.raises(Trouble, match="cannot be read"):
        prices._read("http://127.0.0.1/index.json")

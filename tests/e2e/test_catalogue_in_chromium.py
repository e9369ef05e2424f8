"""The deployed catalogue's page in a browser: it runs the model, which it loads from the bucket as far as the bucket's
CORS rules allow. All else that the page does: tests/web."""

import urllib.request

import numpy as np
import onnxruntime
from playwright.sync_api import Browser, expect

from tests.e2e.catalogue import WORKLOAD, Catalogue

LOAD = """async (url) => {
  try { return (await (await fetch(url, {cache: "no-store"})).arrayBuffer()).byteLength } catch (error) { return error.name }
}"""


def test_the_page_loads_a_model_only_where_cors_and_its_policy_allow(
    chromium: Browser, catalogue: Catalogue
) -> None:
    s3, bucket = catalogue.up.client("s3"), catalogue.up.outputs["BucketName"]
    page = chromium.new_page()
    try:
        page.goto(catalogue.link)
        path = f"models/{WORKLOAD}/{catalogue.version}/native"
        found = page.evaluate("async (path) => (await fetch(path)).json()", path)
        assert page.evaluate(LOAD, found["url"]) == found["bytes"]
        by_another_name = found["url"].replace("127.0.0.1", "localhost")
        assert page.evaluate(LOAD, by_another_name) == "TypeError", "the page's policy names one origin"
        rules = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
        s3.delete_bucket_cors(Bucket=bucket)
        try:
            assert page.evaluate(LOAD, found["url"]) == "TypeError"
        finally:
            s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    finally:
        page.close()


def test_a_person_tries_the_approved_model(chromium: Browser, catalogue: Catalogue) -> None:
    context = chromium.new_context()
    complaints: list[str] = []
    context.on(
        "console", lambda message: complaints.append(message.text) if message.type == "error" else None
    )
    page = context.new_page()
    try:
        page.goto(catalogue.link)
        page.goto(f"{catalogue.link}#/{WORKLOAD}/{catalogue.version}")
        expect(page.locator(".curve")).to_be_visible(timeout=90_000)
        expect(page.locator("figure.scatter svg")).to_have_count(2)
        assert float(page.locator("output").inner_text().split()[0]) == round(predict_defaults(catalogue), 1)
        expect(page.locator("#standing")).to_have_text("Up to date, works offline", timeout=90_000)
        page.reload()
        expect(page.locator(".kept")).to_contain_text("it also works offline")
        assert complaints == []
    finally:
        context.close()


def predict_defaults(catalogue: Catalogue) -> float:
    """What the file that the catalogue offers predicts for the form's defaults, outside of the browser."""
    form = catalogue.get(f"models/{WORKLOAD}/{catalogue.version}.json")["form"]
    defaults = {field["name"]: field["default"] for field in form["fields"]}
    with urllib.request.urlopen(catalogue.model("onnx")["url"], timeout=60) as answer:
        session = onnxruntime.InferenceSession(answer.read(), providers=["CPUExecutionProvider"])
    feeds = {
        tensor["name"]: np.array([[defaults[name] for name in tensor["fields"]]], tensor["type"])
        for tensor in form["tensors"]
    }
    [[[found]]] = session.run([form["output"]["tensor"]], feeds)
    return float(found)

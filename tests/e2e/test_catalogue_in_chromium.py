"""The catalogue's page in a browser may load a model from the bucket, as far as the bucket's CORS rules allow."""

from playwright.sync_api import Browser

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

"""The catalogue: models for people with an AWS account, and a link for everybody else."""

import json
import urllib.request

from tests.conftest import ROOT
from tests.evaluation import EVALUATION
from tests.integration.events.stage import Stage, digest


def test_approved_models_are_listed_and_downloaded_and_no_others(stage: Stage) -> None:
    group, run = f"{stage.group}-p--flowers", "mpg-20260301-0930-0123abcd"
    stage.aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    told = {"run_id": run, "model_digest": digest(b"a model")}
    evaluation = stage.keep(run, champion=False)
    approved = stage.register(evaluation, group, "Approved", **told)
    for _ in range(2):
        stage.register(evaluation, group, "Rejected", **told)
    for event in ("list_models-invoked", "list_models-by-url"):
        answer = stage.invoke(event)
        listed = json.loads(answer["body"]) if "body" in answer else answer
        [model] = listed["models"]
        assert (model["package_arn"], model["version"], model["problem"]) == (approved, 1, None)
        assert model["title"] == EVALUATION["title"]
    found = stage.invoke("download_model-native")
    with urllib.request.urlopen(found["url"], timeout=60) as answer:
        assert digest(answer.read()) == found["digest"] == model["formats"]["native"]["digest"]
    assert stage.invoke("download_model-not-approved") == {"error": "Version 2 of flowers is not approved."}


def test_a_link_opens_the_catalogue_until_it_is_revoked(stage: Stage) -> None:
    assert stage.invoke("catalogue-unknown-link")["statusCode"] == 404
    assert stage.invoke("catalogue-post")["statusCode"] == 405
    issued = stage.invoke("issue_catalogue_link-issue")
    event = json.loads((ROOT / "events" / "catalogue-list.json").read_text(encoding="utf-8"))
    link = {event["rawPath"].split("/")[2]: issued["url"].split("/")[-2]}
    answer = stage.invoke("catalogue-list", link)
    assert (answer["statusCode"], json.loads(answer["body"])["expires_at"]) == (200, issued["expires_at"])
    assert stage.invoke("issue_catalogue_link-revoke-all") == {"revoked": 1}
    assert stage.invoke("catalogue-list", link)["statusCode"] == 410

"""Every Lambda: logs that expire, traces, the environment that its code needs, consistent time limits."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audit.transformed import TEMPLATE, transformed
from common.workload import find_workloads
from tests.unit.template import code
from tests.unit.template.stack import EMAILS, ROOT, Evaluator, of_type, properties, template

RELEASE = ROOT / "stacks" / "release.yaml"
MONITORING = ROOT / "stacks" / "monitoring.yaml"
CATALOGUE = ROOT / "stacks" / "catalogue.yaml"
SERVING = ROOT / "stacks" / "serving.yaml"
FUNCTIONS = sorted(of_type("AWS::Lambda::Function"))
HANDLERS = sorted(set(FUNCTIONS) - {"PublishCodeFunction"})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_log_group_that_expires(name: str) -> None:
    groups = {group["LogGroupName"]: group for group in of_type("AWS::Logs::LogGroup").values()}
    assert groups[properties(name)["LoggingConfig"]["LogGroup"]]["RetentionInDays"] == 90


def test_every_log_group_expires() -> None:
    assert all(group["RetentionInDays"] for group in of_type("AWS::Logs::LogGroup").values())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_traced(name: str) -> None:
    assert properties(name)["TracingConfig"] == {"Mode": "Active"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_on_the_runtime_that_the_packages_are_made_for(name: str) -> None:
    assert (properties(name)["Runtime"], properties(name)["Architectures"]) == ("python3.13", ["arm64"])


@pytest.mark.parametrize("name", HANDLERS)
def test_a_function_gets_every_variable_that_its_code_needs(name: str) -> None:
    handler = properties(name)["Handler"].rpartition(".")[0]
    assert code.required_variables(handler) <= properties(name)["Environment"]["Variables"].keys()


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_is_in_the_package(name: str) -> None:
    module, _, function = properties(name)["Handler"].rpartition(".")
    tree = ast.parse(code.path_of(module).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_handlers_share_one_package_so_that_sam_builds_it_once() -> None:
    sources = {TEMPLATE: "functions/", RELEASE: "../functions/", CATALOGUE: "../functions/"}
    sources[MONITORING] = "../functions/"
    written: dict[str, Any] = {}
    for path, source in sources.items():
        written |= template(path)["Resources"]
        assert template(path)["Globals"]["Function"]["CodeUri"] == source
    assert all("CodeUri" not in written[name]["Properties"] for name in HANDLERS)
    # SAM builds a folder again for every other Metadata.
    first, *others = (written[name]["Metadata"] for name in HANDLERS)
    others.append(template(SERVING)["Resources"]["ServeFunction"]["Metadata"])
    assert [metadata for metadata in others if metadata != first] == []


def test_no_function_outlives_the_claim_on_a_mail() -> None:
    claim_seconds = constant("shared.once", "CLAIM_SECONDS")
    for name in HANDLERS:
        if "shared.once" in code.modules_of(properties(name)["Handler"].rpartition(".")[0]):
            assert properties(name)["Timeout"] < claim_seconds, name


@pytest.mark.parametrize("name", HANDLERS)
def test_a_call_that_hangs_once_leaves_its_function_time_to_retry(name: str) -> None:
    assert seconds_of_a_hanging_call(name, attempts=2) < properties(name)["Timeout"]


def test_a_copy_that_hangs_once_leaves_the_check_time_to_retry() -> None:
    assert 2 * constant("runs.upload_copies", "SECONDS") < properties("CheckUploadFunction")["Timeout"]


def test_the_page_appears_even_if_sagemaker_and_s3_hang_for_good() -> None:
    # One call to SageMaker, and two to S3 for content that the page can omit.
    assert 3 * seconds_of_a_hanging_call("ReviewFunction") < properties("ReviewFunction")["Timeout"]


def seconds_of_a_hanging_call(name: str, attempts: int = 0) -> int:
    """The maximum duration, with this number of attempts or with all of them."""
    given = properties(name)["Environment"]["Variables"]
    attempts = attempts or int(given.get("CALL_ATTEMPTS", 4))
    # botocore's standard mode waits up to 1, 2, 4 ... seconds in between.
    return attempts * int(given.get("CALL_TIMEOUT_SECONDS", 10)) + (1 << attempts - 1) - 1


PAGES = {"mpg-test-ReviewFunction-X1", "mpg-test-CatalogueFunction-X1"}
FOR_CALLERS_WITH_IAM = {"mpg-test-ListModelsFunction-X1", "mpg-test-DownloadModelFunction-X1"}


def test_the_pages_are_public_in_both_ways_that_lambda_requires() -> None:
    permissions = [p for p in of_type("AWS::Lambda::Permission").values() if p["Principal"] == "*"]
    assert {p["Action"] for p in permissions} == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    by_url_only = [
        p.get("FunctionUrlAuthType") == "NONE" or p.get("InvokedViaFunctionUrl") for p in permissions
    ]
    assert by_url_only == [True] * 4
    assert {p["FunctionName"] for p in permissions} == PAGES


def test_only_the_pages_and_the_catalogues_functions_have_a_url() -> None:
    urls = {url["TargetFunctionArn"]: url["AuthType"] for url in of_type("AWS::Lambda::Url").values()}
    assert urls == dict.fromkeys(PAGES, "NONE") | dict.fromkeys(FOR_CALLERS_WITH_IAM, "AWS_IAM")


def test_nobody_invokes_a_function_with_a_url_but_by_it_or_with_iam() -> None:
    allowed = {
        p["FunctionName"] for p in of_type("AWS::Lambda::Permission").values() if p["Principal"] == "*"
    }
    assert allowed == PAGES


def test_no_concurrency_is_reserved_by_default() -> None:
    assert all("ReservedConcurrentExecutions" not in properties(name) for name in FUNCTIONS)


def test_the_page_is_capped_on_request() -> None:
    evaluator = Evaluator(transformed()["Resources"], {**EMAILS, "ReviewReservedConcurrency": "5"})
    page = evaluator.evaluate(transformed()["Resources"]["ReviewFunction"])
    assert page["Properties"]["ReservedConcurrentExecutions"] == "5"


def test_the_catalogue_is_capped_on_request() -> None:
    path = ROOT / "stacks" / "catalogue.yaml"
    resources = transformed(path)["Resources"]
    evaluator = Evaluator(resources, {"CatalogueReservedConcurrency": "5"}, template(path))
    reserved = resources["CatalogueFunction"]["Properties"]["ReservedConcurrentExecutions"]
    assert evaluator.evaluate(reserved) == "5"


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the layer that `sam build` makes has its modules."""
    folder = tmp_path_factory.mktemp("layer")
    make = ["make", "--silent", "build-WorkloadsLayer", f"ARTIFACTS_DIR={folder}"]
    subprocess.run(make, cwd=ROOT / "processing", check=True)
    assert [path.name for path in folder.iterdir()] == ["python"]
    return folder / "python"


def test_the_layer_holds_every_workload_and_what_they_share(layer: Path) -> None:
    assert {path.name for path in layer.iterdir()} == {"common", *find_workloads()}
    assert find_workloads(layer) == find_workloads()


@pytest.mark.parametrize("name", find_workloads())
def test_the_check_of_an_upload_needs_the_layer_and_python_alone(layer: Path, name: str) -> None:
    alone = f"import sys; sys.path.insert(0, {str(layer)!r}); from {name}.upload import check"
    # -I -S: neither this project nor any installed package can be imported.
    subprocess.run([sys.executable, "-I", "-S", "-c", alone], check=True)


def test_the_workloads_come_with_every_function() -> None:
    assert {name for name in FUNCTIONS if properties(name).get("Layers")} == set(FUNCTIONS)


def test_what_functions_import_from_the_layer_needs_python_alone(layer: Path) -> None:
    imported = {
        module
        for name in HANDLERS
        for module in code.modules_of(properties(name)["Handler"].rpartition(".")[0])
        if code.path_of(module).is_relative_to(code.LAYER)
    }
    assert "common.workload" in imported
    alone = f"import sys; sys.path.insert(0, {str(layer)!r}); import {', '.join(sorted(imported))}"
    subprocess.run([sys.executable, "-I", "-S", "-c", alone], check=True)


def constant(module: str, name: str) -> int:
    tree = ast.parse(code.path_of(module).read_text(encoding="utf-8"))
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=ast.Constant(value=int(value))) if (
                found == name
            ):
                return value
    raise AssertionError(f"{module} has no constant {name}")

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from tests.unit.sagemaker.requests import MODEL, PACKAGE

Json = dict[str, Any]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reading of the clock is a second later than the previous one."""
    seconds = itertools.count(1000)
    monkeypatch.setattr("local.sagemaker.store.time", SimpleNamespace(time=lambda: float(next(seconds))))


@pytest.fixture
def models(sagemaker: SageMaker, clock: None) -> Callable[..., list[str]]:
    for number in range(25):
        sagemaker.call("CreateModel", MODEL | {"ModelName": f"model-{number:02}"})

    def names(**request: Any) -> list[str]:
        return [each["ModelName"] for each in sagemaker.call("ListModels", request)["Models"]]

    return names


Models = Callable[..., list[str]]


def test_a_page_has_ten_items_and_the_newest_model_comes_first(models: Models) -> None:
    assert models() == [f"model-{number:02}" for number in range(24, 14, -1)]


def test_pages_follow_each_other_to_the_end(sagemaker: SageMaker, models: Models) -> None:
    seen: list[str] = []
    token: Json = {}
    for size in (7, 7, 7, 7):
        page = sagemaker.call(
            "ListModels", {"MaxResults": size, "SortBy": "Name", "SortOrder": "Ascending"} | token
        )
        seen += [each["ModelName"] for each in page["Models"]]
        token = {"NextToken": page.get("NextToken")}

    assert seen == [f"model-{number:02}" for number in range(25)]
    assert token == {"NextToken": None}


def test_pages_continue_where_they_were_although_items_come_and_go(
    sagemaker: SageMaker, models: Models
) -> None:
    first = sagemaker.call("ListModels", {"SortBy": "Name", "SortOrder": "Ascending"})
    sagemaker.call("DeleteModel", {"ModelName": "model-03"})
    sagemaker.call("CreateModel", MODEL | {"ModelName": "model-000"})

    assert models(NextToken=first["NextToken"], SortBy="Name", SortOrder="Ascending", MaxResults=1) == [
        "model-10"
    ]


def test_an_unknown_token_is_refused(models: Models) -> None:
    with pytest.raises(ServiceError, match=r"Invalid pagination token"):
        models(NextToken="bm90aGluZw==")  # checkov:skip=CKV_SECRET_6: says "nothing"


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({"NameContains": "L-0", "MaxResults": 100}, [f"model-{number:02}" for number in range(9, -1, -1)]),
        ({"NameContains": "none"}, []),
        ({"SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 2}, ["model-00", "model-01"]),
        ({"CreationTimeAfter": 1023.0, "MaxResults": 100}, ["model-24"]),
        ({"CreationTimeBefore": 1001.0, "MaxResults": 100}, ["model-00"]),
    ],
)
def test_a_list_is_filtered_and_sorted_as_asked(request_: Json, names: list[str], models: Models) -> None:
    assert models(**request_) == names


@pytest.mark.parametrize(
    ("filters", "sizes"),
    [({"NameContains": "model-0"}, [0, 5, 5]), ({"CreationTimeBefore": 1002.0}, [0, 0, 2])],
)
def test_a_page_is_filtered_after_it_is_taken(
    sagemaker: SageMaker, models: Models, filters: Json, sizes: list[int]
) -> None:
    found: list[int] = []
    token: Json = {}
    while not found or token["NextToken"]:
        page = sagemaker.call("ListModels", filters | token)
        found.append(len(page["Models"]))
        token = {"NextToken": page.get("NextToken")}

    assert found == sizes


@pytest.fixture
def packages(sagemaker: SageMaker, clock: None) -> Callable[..., list[str]]:
    for group in ("group", "other"):
        sagemaker.call("CreateModelPackageGroup", {"ModelPackageGroupName": group})
    alone = {name: value for name, value in PACKAGE.items() if name != "ModelPackageGroupName"}
    sagemaker.call("CreateModelPackage", alone | {"ModelPackageName": "alone"})
    for status in ("Approved", "Rejected", "Approved"):
        sagemaker.call("CreateModelPackage", PACKAGE | {"ModelApprovalStatus": status})
    sagemaker.call("CreateModelPackage", PACKAGE | {"ModelPackageGroupName": "other"})

    def tails(**request: Any) -> list[str]:
        found = sagemaker.call("ListModelPackages", request)["ModelPackageSummaryList"]
        return [each["ModelPackageArn"].partition("model-package/")[2] for each in found]

    return tails


@pytest.mark.parametrize(
    ("request_", "tails"),
    [
        ({"ModelPackageGroupName": "group"}, ["group/1", "group/2", "group/3"]),
        ({"ModelPackageGroupName": "group", "SortOrder": "Descending"}, ["group/3", "group/2", "group/1"]),
        ({"ModelPackageGroupName": "group", "ModelApprovalStatus": "Approved"}, ["group/1", "group/3"]),
        (
            {
                "ModelPackageGroupName": "group",
                "ModelApprovalStatus": "Approved",
                "SortBy": "CreationTime",
                "SortOrder": "Descending",
                "MaxResults": 1,
            },
            ["group/3"],
        ),
        (
            {"ModelPackageGroupName": "group", "ModelApprovalStatus": "Rejected", "MaxResults": 1},
            [],
        ),
        ({}, ["alone"]),
        ({"ModelPackageType": "Versioned"}, ["group/1", "group/2", "group/3", "other/1"]),
        ({"ModelPackageType": "Both", "NameContains": "o", "MaxResults": 2}, ["alone", "group/1"]),
        ({"ModelPackageGroupName": "none"}, []),
    ],
)
def test_model_packages_are_found_by_group_and_approval(
    request_: Json, tails: list[str], packages: Callable[..., list[str]]
) -> None:
    assert packages(**request_) == tails


def test_a_summary_has_the_members_that_the_api_gives_it(sagemaker: SageMaker, packages: Any) -> None:
    page = sagemaker.call("ListModelPackages", {"ModelPackageGroupName": "other"})

    (summary,) = page["ModelPackageSummaryList"]
    assert set(summary) == {
        "ModelPackageGroupName",
        "ModelPackageVersion",
        "ModelPackageArn",
        "CreationTime",
        "ModelPackageStatus",
        "ModelApprovalStatus",
    }

"""The key of an upload chooses its workload, or the refusal says where to upload what."""

import pytest

from common.uploads import BadUpload
from common.workload import Workload
from runs.workload_choice import choose, places_for_uploads


def workload(name: str, *suffixes: str) -> Workload:
    return Workload(name, {"upload": {"suffixes": list(suffixes)}})


WORKLOADS = {
    found.name: found
    for found in (workload("cars", ".csv"), workload("pictures", ".parquet", ".zip"), workload("text_2", ".csv", ".csv.gz"))
}  # fmt: skip
PLACES = (
    "Upload .csv to incoming/ or incoming/cars/, .parquet or .zip to incoming/pictures/, "
    ".csv or .csv.gz to incoming/text_2/."
)


@pytest.mark.parametrize(
    ("key", "name", "suffix"),
    [
        ("incoming/a.csv", "cars", ".csv"),
        ("incoming/.csv", "cars", ".csv"),
        ("incoming/A.CSV", "cars", ".csv"),
        ("incoming/cars/a.csv", "cars", ".csv"),
        ("incoming/cars/2026/spring/a b+c.csv", "cars", ".csv"),
        ("incoming/pictures/a.parquet", "pictures", ".parquet"),
        ("incoming/pictures/a.zip", "pictures", ".zip"),
        ("incoming/pictures/cars/a.zip", "pictures", ".zip"),
        ("incoming/text_2/a.csv", "text_2", ".csv"),
        ("incoming/text_2/a.csv.gz", "text_2", ".csv.gz"),
        ("incoming/cars.csv", "cars", ".csv"),
    ],
)
def test_the_folder_chooses_the_workload_and_without_one_it_is_the_default(
    key: str, name: str, suffix: str
) -> None:
    choice = choose(key, WORKLOADS, "cars")
    assert (choice.workload.name, choice.suffix) == (name, suffix)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("incoming/flowers/a.csv", 'there is no workload "flowers"'),
        ("incoming/2026/01/a.csv", 'there is no workload "2026"'),
        ("incoming/Cars/a.csv", 'there is no workload "Cars"'),
        ("incoming//a.csv", 'there is no workload ""'),
        ("incoming/../a.csv", 'there is no workload ".."'),
        ("incoming/flowers/", 'there is no workload "flowers"'),
        ("incoming/cars/", "this is a folder"),
        ("incoming/a.parquet", "cars gets the files in incoming/ itself and takes .csv"),
        ("incoming/a", "cars gets the files in incoming/ itself and takes .csv"),
        ("incoming/cars", "cars gets the files in incoming/ itself and takes .csv"),
        ("incoming/pictures/a.csv", "pictures takes .parquet or .zip"),
        ("incoming/pictures/parquet", "pictures takes .parquet or .zip"),
    ],
)
def test_another_key_is_refused_with_a_list_of_the_places(key: str, problem: str) -> None:
    with pytest.raises(BadUpload) as refused:
        choose(key, WORKLOADS, "cars")
    assert str(refused.value) == f"{key}: {problem}. {PLACES}"


@pytest.mark.parametrize("folder", ["\u202e", "a\nb", "x" * 900, "<b>"])
def test_a_folders_name_cannot_spoil_the_message(folder: str) -> None:
    with pytest.raises(BadUpload) as refused:
        choose(f"incoming/{folder}/a.csv", WORKLOADS, "cars")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


def test_a_single_workload_is_named_with_both_of_its_places() -> None:
    assert places_for_uploads({"one": workload("one", ".csv")}, "one") == (
        "Upload .csv to incoming/ or incoming/one/."
    )

"""A file that does not fit into memory is prepared in parts, and the result is that of a small file."""

import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pyarrow import parquet

from auto_mpg import divided, preprocess, sample, together
from auto_mpg.car import COLUMNS
from auto_mpg.columns import to_cars
from auto_mpg.divided import Divided
from auto_mpg.preprocess import prepare
from common import preprocessing
from common.blocks import Block
from common.cluster import Local
from common.digests import file_digest
from common.preprocessing import Prepared
from common.splitting import FIXED, exact_borders
from common.uploads import BadUpload
from common.workload import find_workload
from tests.unit.processing.auto_mpg.by_rows import read_cars

HEADER = ",".join(COLUMNS) + "\n"
ROWS = 1500
PARTS = 6


def car(number: int, **values: object) -> str:
    """A row of which there is no other with the same numbers."""
    label = "" if number % 17 == 0 else 10 + number % 300 / 10
    power = "?" if number % 50 == 0 else 60 + number % 120
    row = dict(
        zip(COLUMNS, [label, 4, 98.1, power, 2000 + number, 12.3, 70, 1, f"car {number}"], strict=True)
    )
    return ",".join(str((row | values)[column]) for column in COLUMNS) + "\n"


@cache
def _cars(count: int) -> tuple[str, ...]:
    # Doubles are far from each other.
    return tuple(car(number % (count - 100), acceleration=10 + number % 7 / 10) for number in range(count))


def cars(count: int = ROWS) -> list[str]:
    return list(_cars(count))


def set_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "BLOCK", 2048)
    monkeypatch.setattr(together, "BLOCKS_OF_A_PART", 5)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    set_small_parts(monkeypatch)


def prepared(folder: Path, lines: list[str] | str, *, workers: int = 1, hosts: int = 1) -> Prepared:
    folder.mkdir(exist_ok=True)
    path = folder / "upload.csv"
    path.write_text(HEADER + "".join(lines))
    return prepare(path, "cars.csv", folder / "prepared", Local(hosts, workers))


def files(folder: Path) -> dict[str, bytes]:
    found = folder / "prepared"
    return {path.relative_to(found).as_posix(): path.read_bytes() for path in sorted(found.rglob("*.*"))}


def joined(folder: Path) -> dict[str, Any]:
    """The rows of each folder, the parts one after the other, and the preprocessor."""
    rows: dict[str, Any] = {"preprocessor": (folder / "prepared" / "preprocessor.json").read_text()}
    for part in ("train", "validation"):
        paths = sorted((folder / "prepared" / part).glob("*.parquet"))
        rows[part] = [
            row for path in paths for row in zip(*parquet.read_table(path).to_pydict().values(), strict=True)
        ]
    for part in ("test", "batch"):
        paths = sorted((folder / "prepared" / part).glob("*.csv"))
        rows[part] = [line for path in paths for line in path.read_text().splitlines()[part == "test" :]]
    return rows


class Usual(NamedTuple):
    """All cars, prepared in small parts by one worker."""

    result: Prepared
    folder: Path
    rows: dict[str, Any]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Usual:
    """With which others are compared, so only to be read."""
    folder = tmp_path_factory.mktemp("usual")
    with pytest.MonkeyPatch.context() as patch:
        set_small_parts(patch)
        return Usual(prepared(folder, cars()), folder, joined(folder))


def refusal(folder: Path, lines: list[str] | str, *, workers: int = 1, hosts: int = 1) -> str:
    with pytest.raises(BadUpload) as refused:
        prepared(folder, lines, workers=workers, hosts=hosts)
    assert not (folder / "prepared").exists()
    return str(refused.value)


@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_writes_the_same_files(tmp_path: Path, usual: Usual, workers: int) -> None:
    assert prepared(tmp_path, cars(), workers=workers) == usual.result
    assert files(tmp_path) == files(usual.folder)
    assert len(files(tmp_path)) == 4 * PARTS + 2


def test_the_rows_of_parts_that_are_not_kept_on_this_machine_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path / "kept", cars())
    lost = []

    def take(path: Path) -> Divided | None:
        found = divided.take(path)
        lost.append(found)
        return found if len(lost) % 2 else None

    monkeypatch.setattr(preprocess, "take", take)
    prepared(tmp_path / "lost", cars())
    assert len(lost) == PARTS
    assert None not in lost
    assert files(tmp_path / "kept") == files(tmp_path / "lost")
    assert sorted(path.name for path in (tmp_path / "lost").iterdir()) == ["prepared", "upload.csv"]


def test_each_block_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, read_block = [], Block.read

    def noted(block: Block, path: Path) -> bytes:
        read.append(block)
        return read_block(block, path)

    monkeypatch.setattr(Block, "read", noted)
    prepared(tmp_path, cars())
    assert len(read) > PARTS
    assert len(read) == len(set(read))


@pytest.mark.parametrize("most", [30, 100, 10_000])
def test_the_sample_has_the_labelled_rows_with_the_smallest_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(sample, "SAMPLE", most)
    prepared(tmp_path / "parts", cars(), workers=2)
    monkeypatch.setattr(together, "BLOCK", 1 << 20)
    prepared(tmp_path / "memory", cars())
    labelled = [one for one in read_cars(io.BytesIO((HEADER + "".join(cars())).encode()), "") if one.mpg]
    expected = np.sort(to_cars(labelled).hashes())[:most]
    for folder in ("parts", "memory"):
        text = (tmp_path / folder / "prepared" / "sample" / "sample.csv").read_bytes()
        found = to_cars(read_cars(io.BytesIO(text), ""))
        assert found.hashes().tolist() == expected.tolist()
        assert not np.isnan(found.mpg).any()


@pytest.mark.parametrize(("block", "blocks"), [(300, 40), (2048, 1), (9000, 2)])
def test_blocks_of_any_size_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usual: Usual, block: int, blocks: int
) -> None:
    monkeypatch.setattr(together, "BLOCK", block)
    monkeypatch.setattr(together, "BLOCKS_OF_A_PART", blocks)
    found = prepared(tmp_path, cars())
    assert joined(tmp_path) == usual.rows
    assert (found.rows, found.report) == (usual.result.rows, usual.result.report)


def test_a_file_in_memory_has_the_same_rows_and_preprocessor_but_for_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (HEADER + "".join(cars())).encode()
    labelled = [one for one in read_cars(io.BytesIO(content), "") if one.mpg is not None]
    monkeypatch.setattr(preprocess, "FIXED", exact_borders(to_cars(labelled).hashes()))
    in_parts = prepared(tmp_path / "parts", cars())
    monkeypatch.setattr(together, "BLOCK", 1 << 20)
    in_memory = prepared(tmp_path / "memory", cars())
    assert in_parts.rows == in_memory.rows
    ordered, other = joined(tmp_path / "parts"), joined(tmp_path / "memory")
    assert {name: sorted(rows) for name, rows in ordered.items()} == {
        name: sorted(rows) for name, rows in other.items()
    }
    assert set(files(tmp_path / "memory")) == {
        *("preprocessor.json", "train/train.parquet", "validation/validation.parquet"),
        *("test/test.csv", "batch/batch.csv", "sample/sample.csv"),
    }


def test_a_large_file_keeps_its_order_and_the_report_says_how_it_was_split(usual: Usual) -> None:
    found, rows = usual.result, usual.rows
    content = (HEADER + "".join(cars())).encode()
    uploaded = read_cars(io.BytesIO(content), "")
    parts = FIXED.of(to_cars(uploaded).hashes()).tolist()
    of_part = [
        [one.mpg for one, its in zip(uploaded, parts, strict=True) if one.mpg is not None and its == part]
        for part in range(3)
    ]
    for part, labels in zip(("train", "validation"), of_part, strict=False):
        assert [row[0] for row in rows[part]] == np.array(labels, np.float32).tolist()
    assert [float(line.partition(",")[0]) for line in rows["test"]] == of_part[2]
    counts = [len(labels) for labels in of_part]
    assert [found.rows[part] for part in ("train", "validation", "test")] == counts
    split = found.report["split"]
    assert split["by"] == "fixed borders of the hashes"
    assert list(split["shares"].values()) == [count / sum(counts) for count in counts]


def test_every_file_is_in_the_digests_and_has_rows(tmp_path: Path) -> None:
    lines = [car(number, mpg="") for number in range(1000)] + cars()
    found = prepared(tmp_path, lines)
    names = {name for name in files(tmp_path) if name != "preprocessor.json"}
    assert set(found.digests) == names
    # The first parts have rows to predict alone.
    assert "batch/batch-00000.csv" in names
    assert "train/train-00000.parquet" not in names
    assert all(
        content.count(b"\n") > 1 for name, content in files(tmp_path).items() if name.startswith("test/")
    )


@pytest.mark.parametrize("hosts", [1, PARTS, PARTS + 1, 30])
def test_every_host_of_the_training_gets_a_file_with_rows(tmp_path: Path, hosts: int) -> None:
    prepared(tmp_path, cars(), hosts=hosts)
    paths = sorted((tmp_path / "prepared" / "train").glob("*"))
    assert len(paths) >= hosts
    rows = [parquet.read_metadata(path).num_rows for path in paths]
    assert min(rows) > 0
    assert sum(rows) == len(joined(tmp_path)["train"])
    others = {name for name in files(tmp_path) if not name.startswith("train/")}
    assert len(others) == 3 * PARTS + 2


def test_a_small_file_has_a_training_file_for_each_host_too(tmp_path: Path) -> None:
    prepared(tmp_path / "one", cars(150))
    prepared(tmp_path / "three", cars(150), hosts=3)
    names = [path.name for path in sorted((tmp_path / "three" / "prepared" / "train").iterdir())]
    assert names == [f"train-0000{number}.parquet" for number in range(3)]
    one, three = joined(tmp_path / "one"), joined(tmp_path / "three")
    assert sorted(one["train"]) == sorted(three["train"])


def test_too_few_rows_for_the_hosts_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, cars(150), hosts=1000) == (
        "cars.csv has too few rows (98 in the part that trains the model) to train on 1000 machines; "
        "set TrainingInstanceCount to 98 or fewer"
    )


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("places", [[1499], [0, 1499], [5, 6, 7, 700, 701, 1000, 1499]])
def test_problems_are_found_with_their_lines_in_the_order_of_the_file(
    tmp_path: Path, places: list[int], workers: int
) -> None:
    lines = cars()
    for place in places:
        lines[place] = car(place, weight="heavy")
    shown = [f'line {place + 2}: weight is "heavy"; expected a number' for place in places]
    more = [f"and {len(places) - 5} more"] if len(places) > 5 else []
    message = refusal(tmp_path, lines, workers=workers)
    assert message.split("\n") == [f"cars.csv, {shown[0]}", *shown[1:5], *more]


BREAKS = {
    "a quote that is left open": (['18,4,98,90,2000,12,70,1,"open\n'], 'a quoted field begins|quotes are broken|longer'),
    "a byte that is not UTF-8": (["18,4,98,90,2000,12,70,1,\udcff\n"], "byte 0xff is not UTF-8"),
    "a NUL byte": (["18,4,98,90,2000,12,70,1,\0\n"], "NUL"),
    "a long line": ([f"18,4,98,90,2000,12,70,1,{'x' * 200_000}\n"], "a field is longer than 131,072 characters"),
    "too few fields": (["18,4\n"], "has 2 fields; expected 9"),
    "an unknown origin": (["18,4,98,90,2000,12,70,mars,x\n"], 'origin is "mars"'),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
@pytest.mark.parametrize("place", [700, 1500])
def test_one_bad_row_anywhere_is_refused_with_its_line(tmp_path: Path, what: str, place: int) -> None:
    broken, problem = BREAKS[what]
    lines = cars()
    lines[place:place] = broken
    path = tmp_path / "upload.csv"
    path.write_bytes((HEADER + "".join(lines)).encode(errors="surrogateescape"))
    with pytest.raises(BadUpload, match=f"^cars.csv, line {place + 2}: .*({problem})"):
        prepare(path, "cars.csv", tmp_path / "prepared", Local(workers=1))


VALID: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "carriage returns": lambda content: content.replace(b"\n", b"\r"),
    "byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "no last newline": lambda content: content.removesuffix(b"\n"),
    "a block of blank lines": lambda content: content.replace(b"car 99\n", b"car 99\n" + b"\n" * 10_000),
    "words for origins": lambda content: content.replace(b",70,1,car", b",70,USA,car"),
    "everything quoted": lambda content: b"".join(
        b",".join(b'"' + field + b'"' for field in line.split(b",")) + b"\n" for line in content.splitlines()
    ),
    "blanks before quotes": lambda content: content.replace(b",98.1,", b', "98.1",'),
    "blanks around numbers": lambda content: content.replace(b",98.1,", b", 98.1 ,"),
}


@pytest.mark.parametrize("form", VALID)
def test_other_forms_of_a_large_file_give_the_same_rows(tmp_path: Path, usual: Usual, form: str) -> None:
    content = VALID[form]((HEADER + "".join(cars())).encode())
    (tmp_path / "upload.csv").write_bytes(content)
    found = prepare(tmp_path / "upload.csv", "cars.csv", tmp_path / "prepared", Local(workers=1))
    assert found.rows == usual.result.rows
    assert joined(tmp_path) == usual.rows


def test_names_on_several_lines_are_in_no_two_blocks(tmp_path: Path) -> None:
    lines = [
        line.replace("car ", '"two\nlines ').replace("\n", '"\n').replace('"two"\n', '"two\n')
        for line in cars()
    ]
    expected = prepared(tmp_path / "expected", [line.replace("car ", "two lines ") for line in cars()])
    found = prepared(tmp_path / "found", lines)
    assert found.rows == expected.rows
    assert joined(tmp_path / "found") == joined(tmp_path / "expected")


def test_a_large_file_of_few_different_rows_that_leaves_a_part_empty_is_refused(tmp_path: Path) -> None:
    candidates = [car(number, mpg=20) for number in range(1, 200)]
    of = FIXED.of(to_cars(read_cars(io.BytesIO((HEADER + "".join(candidates)).encode()), "")).hashes())
    chosen = [line for line, part in zip(candidates, of.tolist(), strict=True) if part != 1]
    assert refusal(tmp_path, chosen * 5) == (
        "cars.csv has too few different rows; none of them is in the validation part"
    )


def test_the_summary_of_a_large_upload_has_manifests_of_all_parts(tmp_path: Path) -> None:
    path = tmp_path / "upload.csv"
    path.write_text(HEADER + "".join(cars()))
    output = tmp_path / "prepared"
    preprocessing.preprocess(
        find_workload("auto_mpg"), path, file_digest(path), output, "s3://b/p/", "cars.csv", Local(workers=1)
    )
    manifest = json.loads((output / "train" / "train.manifest").read_text())
    assert manifest[1:] == [f"train-{number:05}.parquet" for number in range(PARTS)]
    digests = json.loads((output / "summary.json").read_text())["digests"]
    assert digests == {
        path.relative_to(output).as_posix(): file_digest(path)
        for path in output.rglob("*.*")
        if path.name != "summary.json"
    }

"""Names of cars and files are plain text to every spreadsheet, terminal, browser, mail and log."""

import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from auto_mpg.car import RAW_COLUMNS, read_car
from auto_mpg.inference import input_fn
from common.cluster import Local
from common.digests import file_digest
from common.preprocessing import preprocess
from common.workload import find_workload
from local.cli.approvals import row as approvals_row
from local.cli.outcome import Result
from local.cli.predictions import show_predictions
from local.cli.report import show_end
from local.cli.screen import Screen
from runs.uploads import Upload, UploadRefused, check
from shared.mails import fit_subject
from tests.unit.functions.conftest import BUCKET, World, event
from tests.unit.functions.requests import ended
from tests.unit.security.conftest import ROOT

FORMULAS = [
    '=HYPERLINK("http://x")',
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
]
HEADER = "mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin,car_name\n"
TERMINAL = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b1A\u202e\u2066\u200b\x08\x7f"


def prepared(folder: Path, *names: str) -> list[list[str]]:
    """The rows of batch.csv, which the predictions repeat, for unlabelled cars with these names."""
    folder.mkdir(exist_ok=True)
    stream = io.StringIO()
    cars = [["", 8, 307, 130, 3504, 12, 70, 1, name] for name in names]
    csv.writer(stream).writerows(cars)
    upload = folder / "upload.csv"
    upload.write_text((ROOT / "data/auto-mpg.csv").read_text() + stream.getvalue(), encoding="utf-8")
    preprocess(
        find_workload("auto_mpg"),
        upload,
        file_digest(upload),
        folder / "prepared",
        "s3://b/p/",
        "x.csv",
        Local(workers=1),
    )
    batch = (folder / "prepared/batch/batch.csv").read_bytes()
    assert len(input_fn(batch, "text/csv")) == batch.count(b"\n")
    return list(csv.reader(io.StringIO(batch.decode())))[: len(names)]


@pytest.mark.parametrize("before", ["", " ", '"', "\t", "\r", "a;", "a; ", 'a;"', "a,", "a|", 'x",'])
def test_no_spreadsheet_computes_a_name_in_the_predictions(before: str, tmp_path: Path) -> None:
    names = prepared(tmp_path, *(before + formula for formula in FORMULAS))
    for name, formula in zip((row[-1] for row in names), FORMULAS, strict=True):
        assert f"'{formula}" in name


@pytest.mark.parametrize(
    "name", ["mercedes-benz 280s", "datsun 510 (sw)", "a=b+c", "vw 1131 @ home", "ford, gran"]
)
def test_an_ordinary_name_stays_as_it_is(name: str, tmp_path: Path) -> None:
    assert prepared(tmp_path, name)[0][-1] == name


def test_the_model_ignores_the_name(tmp_path: Path) -> None:
    [plain], [hostile] = prepared(tmp_path / "a", "x"), prepared(tmp_path / "b", "=1+1")
    assert plain[:-1] == hostile[:-1]


@given(st.text())
def test_a_car_name_is_printable_and_on_one_line(name: str) -> None:
    fields = ["8", "307", "130", "3504", "12", "70", "1", name]
    shown = read_car(dict(zip(RAW_COLUMNS, fields, strict=True))).car_name
    assert shown.isprintable()
    assert shown == " ".join(shown.split())


def test_a_terminal_shows_text_from_others_and_obeys_none_of_it() -> None:
    file = io.StringIO()
    screen = Screen(
        Console(file=file, force_terminal=True, color_system=None, width=200, legacy_windows=False)
    )
    hostile = f"a{TERMINAL}b"
    screen.line(hostile)
    screen.heading(hostile)
    screen.block(hostile)
    screen.facts([("key", hostile)])
    screen.table(("name",), [(hostile,)])
    screen.detail(hostile)
    screen.done(hostile, 1.0, hostile)
    screen.failure(hostile)
    lines = file.getvalue().split("\n")
    assert sum(line.count("a") and line.count("b") for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_name_of_a_hundred_thousand_letters_does_not_fill_the_terminal() -> None:
    file = io.StringIO()
    screen = Screen(Console(file=file, width=10_000))
    body = io.BytesIO(b"8,307,130,3504,12,70,1," + b"x" * 100_000 + b",17.5\n")
    answers = SimpleNamespace(get_object=lambda **_: {"Body": body})
    endpoint: Any = SimpleNamespace(client=lambda _: answers)
    show_predictions(screen, endpoint, Result(predictions_uri="s3://bucket/batch.csv.out"))
    assert max(map(len, file.getvalue().splitlines())) < 200
    assert file.getvalue().rstrip().endswith("xxx...  17.5")


MEASURED: dict[str, Any] = {"metrics": {"m": 1.0}, "gate": {"metric": "m"}}
# What a request for approval shows of others' texts.
TEXTS = (
    *("requested_at", "file", "run_id", "workload", "status", "decided_at"),
    *("reviewer", "via", "address", "comment"),
)


def test_the_list_of_approvals_obeys_no_typed_text() -> None:
    request = dict.fromkeys(TEXTS, f"x\n{TERMINAL}")
    changed = {"verdict": f"x\n{TERMINAL}"}
    assert all(cell.isprintable() for cell in approvals_row({**request, **MEASURED, "changed_to": changed}))


def test_no_link_that_somebody_else_wrote_can_be_clicked_in_the_terminal() -> None:
    link = "https://evil.example"
    file = io.StringIO()
    screen = Screen(Console(file=file, width=10_000))
    show_end(screen, Result("refused", error="UploadRefused", cause=f"see {link}", seconds={"total": 1.0}))
    shown = " ".join(
        approvals_row({**dict.fromkeys(TEXTS, link), **MEASURED, "changed_to": {"verdict": link}})
    )
    assert "see https[:]//evil[.]example" in file.getvalue()
    assert "://" not in file.getvalue() + shown


@given(st.text())
def test_no_name_gets_a_second_header_into_a_mail(key: str) -> None:
    subject = fit_subject(f"Refused: {key}")
    assert subject.isprintable()
    assert subject.isascii()
    assert len(subject) < 100


KEYS = [
    f"incoming/{TERMINAL}.csv",
    "incoming/x\r\nBcc: all@example.com\r\n\r\n<h1>.csv",
    'incoming/\n{"level":"ERROR","message":"forged"}.csv',
    "incoming/../models/x.csv",
    "incoming//..%2f..%2fmodels.csv",
    "incoming/-rf.csv",
    "incoming/--exit-message=x.csv",
    "incoming/$(id)`id`;id|id&id.csv",
    "incoming/{% $states.context.Task.Token %}.csv",
    "incoming/=1+1.csv",
    "incoming/" + "ü" * 505 + ".csv",
    "incoming/<script>alert(1)</script>.csv",
    "incoming/%00\ufffe.csv",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_refused_file_is_reported_without_the_markup_in_its_key(
    key: str, world: World, log: io.StringIO, context: Any
) -> None:
    from handlers import check_upload, notify

    version = world.put(key, b"mpg;weight\n")
    sent = {"run_id": "mpg-1", "bucket": BUCKET, "key": key, "version_id": version, "size": 11}
    sent["default_workload"] = "auto_mpg"
    with pytest.raises(UploadRefused) as refused:
        check_upload.handler(sent, context)
    assert all(line.isprintable() for line in str(refused.value).split("\n"))
    # A log line is one JSON object, whatever its content.
    assert all(json.loads(line)["level"] == "INFO" for line in log.getvalue().splitlines())
    uploaded = json.loads(event("notify-upload-refused")["detail"]["input"])
    uploaded["detail"]["object"]["key"] = key
    happened = ended(world, "notify-upload-refused", cause=str(refused.value), input=json.dumps(uploaded))
    notify.handler(happened, context)
    subject, text = world.mails(world.notification_topic)[-1]
    assert subject.isprintable()
    assert all(line.isprintable() for line in text.split("\n"))
    assert not any(line.startswith(("Bcc", "<h1>")) for line in text.split("\n"))


@pytest.mark.parametrize("key", KEYS)
def test_a_file_is_kept_in_its_runs_folder_and_nowhere_else(key: str, world: World) -> None:
    sample = (ROOT / "data/auto-mpg.csv").read_bytes()
    key = key.replace("incoming/", "incoming/auto_mpg/", 1)
    key = key.removesuffix(".csv").encode()[:1020].decode(errors="ignore") + ".csv"
    version = world.put(key, sample)
    check(Upload("mpg-1", BUCKET, key, version, len(sample), "auto_mpg"), whole_up_to=1_000_000)
    keys = {item["Key"] for item in world.s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert keys - {key} == {"runs/mpg-1/input/upload.csv"}

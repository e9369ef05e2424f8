"""The catalogue's page in a real browser: what it shows, and that it predicts as the native model does."""

import base64
import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import PHONE
from tests.web.models import ROOT, run
from tests.web.server import Catalogue

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PAGES = {"list": "#/", "fields": "#/auto_mpg/7", "drawing": "#/strokes/3", "comparison": "#/auto_mpg/7/6"}
# All rows of a file through the page's own modules.
PREDICT_ROWS = """async ([file, form, rows]) => {
  const { openModel } = await import("/assets/predictor.js");
  const bytes = new Uint8Array(await (await fetch(file)).arrayBuffer());
  return (await openModel(bytes, form)).predictRows(form, rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? NaN]))));
}"""
CENTRE = """async ([data, width, height, form]) => {
  const { picture } = await import("/assets/raster.js");
  const drawn = Float32Array.from(atob(data), (byte) => byte.charCodeAt(0));
  return Array.from(picture({ data: drawn, width, height }, form).data);
}"""


def open_page(page: Page, catalogue: Catalogue, name: str) -> None:
    page.goto(catalogue.link + PAGES[name])
    ready = {"list": "section.workload", "fields": ".curve", "drawing": ".try canvas", "comparison": ".plot"}
    expect(page.locator(ready[name]).first).to_be_visible()


def prediction(page: Page) -> float:
    return float(page.locator(".value").inner_text().split()[0])


def predict_natively(bundle: Path, *rows: str) -> list[float]:
    from auto_mpg import inference

    model = inference.model_fn(str(bundle))
    answer, _ = inference.output_fn(
        inference.predict_fn(inference.input_fn("\n".join(rows), "text/csv"), model), "text/csv"
    )
    return [float(line) for line in answer.split()]


def test_the_list_shows_each_version_and_how_good_it_is(page: Page, catalogue: Catalogue) -> None:
    catalogue.page_size = 2
    open_page(page, catalogue, "list")
    assert page.title() == "Approved models - Model catalogue"
    [section] = page.locator("section.workload").all()
    expect(section.locator(".card")).to_contain_text("Version 6live")
    expect(section.locator(".card")).to_contain_text("Approved by Ada Lovelace on 16 Nov 2026")
    expect(section.locator(".card dl")).to_contain_text("good enough: at most 46")
    expect(section.get_by_role("row")).to_have_count(3)
    page.get_by_role("button", name="Show older versions").click()
    expect(page.get_by_role("heading", name="Strokes")).to_be_visible()
    expect(page.get_by_role("button", name="Show older versions")).to_have_count(0)
    page.get_by_role("link", name=re.compile("^Try it ?: Strokes$")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Version 3")


def test_every_car_gets_the_native_prediction(page: Page, catalogue: Catalogue, bundle: Path) -> None:
    open_page(page, catalogue, "list")
    text = (ROOT / "data" / "auto-mpg.csv").read_text()
    cars = [
        {name.replace(" ", "_"): value for name, value in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]
    form = catalogue.models[0]["form"]
    names = [name for tensor in form["tensors"] for name in tensor["fields"]]
    rows = [
        {name: float(car[name]) if car[name] not in ("", "?") else None for name in names} for car in cars
    ]
    url = f"{catalogue.bucket}/auto_mpg/7"
    found = page.evaluate(PREDICT_ROWS, [url, form, rows])
    native = predict_natively(bundle, *(",".join(car[name] for name in names) for car in cars))
    assert len(native) == 398
    assert any(row["horsepower"] is None for row in rows)
    assert np.abs(np.array(found) - native).max() < 1e-4


def test_the_prediction_follows_the_form(page: Page, catalogue: Catalogue, bundle: Path) -> None:
    open_page(page, catalogue, "fields")
    native = predict_natively(
        bundle,
        "4,150,95,2800,15.5,76,1",
        "4,150,95,4000,15.5,76,1",
        "4,150,,4000,15.5,76,1",
        "4,150,,4000,15.5,76,3",
    )
    assert prediction(page) == round(native[0], 1)
    slider = page.get_by_label("Weight, lb, slider")
    point = page.locator("circle.now")
    before = point.get_attribute("cx")
    slider.fill("4000")
    expect(page.locator(".value")).to_contain_text(f"{native[1]:.1f}")
    expect(page.get_by_label("Weight lb", exact=True)).to_have_value("4000")
    assert point.get_attribute("cx") != before
    page.get_by_label("unknown Power").check()
    expect(page.get_by_label("Power hp", exact=True)).to_be_disabled()
    expect(page.locator(".value")).to_contain_text(f"{native[2]:.1f}")
    page.get_by_label("Origin").select_option("Japan")
    expect(page.locator(".value")).to_contain_text(f"{native[3]:.1f}")
    expect(page.locator("#said")).to_have_text(f"Fuel economy: {native[3]:.1f} mpg")
    page.get_by_label("Weight lb", exact=True).fill("99999")
    expect(page.get_by_role("alert").filter(has_text="Enter a number from 1500 to 5200.")).to_be_visible()
    expect(page.locator(".value")).to_contain_text(f"{native[3]:.1f}")


def draw(page: Page, *points: tuple[float, float]) -> None:
    """A stroke with the mouse, in parts of the square."""
    canvas = page.get_by_role("application", name="Drawing area")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def chances(page: Page) -> dict[str, int]:
    """The percentages beside the bars."""
    rows: list[Locator] = page.locator(".probabilities li").all()
    return {
        row.locator(".label").inner_text(): int(row.locator(".percent").inner_text().split()[0])
        for row in rows
    }


def seen(page: Page) -> Any:
    """The picture that the model gets, as the page shows it."""
    data = page.get_by_role("img", name="The picture that the model gets").evaluate(
        "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)"
    )
    return np.array(data, np.float32).reshape(1, 16, 16, 4)[..., 0]


def test_a_drawing_gets_the_native_probabilities(page: Page, catalogue: Catalogue) -> None:
    open_page(page, catalogue, "drawing")
    assert chances(page) == {"bar": 0, "pole": 0}
    draw(page, (0.1, 0.3), (0.5, 0.3), (0.8, 0.35))
    expect(page.locator(".result strong")).to_have_text("bar")
    expect(page.locator("#said")).to_contain_text("It looks like bar")
    native = run(catalogue.files["strokes", 3], {"pictures": seen(page)})[0]
    assert list(chances(page).values()) == pytest.approx(100 * native, abs=1)
    page.get_by_role("button", name="Clear").click()
    draw(page, (0.2, 0.1), (0.2, 0.9))
    expect(page.locator(".result strong")).to_have_text("pole")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".result strong")).to_have_text("–")


def test_a_picture_is_drawn_by_keys_or_opened(page: Page, catalogue: Catalogue) -> None:
    open_page(page, catalogue, "drawing")
    page.get_by_role("application", name="Drawing area").focus()
    page.keyboard.press("Space")
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator(".result strong")).to_have_text("pole")
    page.keyboard.press("ArrowLeft")
    assert chances(page)["pole"] > 90
    # A dark bar on light paper.
    png = page.evaluate("""() => { const c = document.createElement("canvas"); c.width = 60; c.height = 40; const x = c.getContext("2d");
        x.fillStyle = "#eee"; x.fillRect(0, 0, 60, 40); x.fillStyle = "#225"; x.fillRect(5, 18, 50, 6); return c.toDataURL().split(",")[1]; }""")
    files = page.get_by_label("Open image")
    files.set_input_files({"name": "bar.png", "mimeType": "image/png", "buffer": base64.b64decode(png)})
    expect(page.locator(".result strong")).to_have_text("bar")
    assert seen(page)[0, 0, 0] == 0
    files.set_input_files({"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.get_by_role("alert")).to_contain_text("This file is no picture")


def test_a_drawing_is_fitted_and_centred_by_its_mass(page: Page, catalogue: Catalogue) -> None:
    open_page(page, catalogue, "list")
    drawn = np.zeros((280, 280), np.uint8)
    drawn[20:160, 200:230] = 255
    drawn[130:160, 200:270] = 255
    # As a list of numbers it would take the browser's driver a second.
    sent = base64.b64encode(drawn.tobytes()).decode()
    form = {"width": 28, "height": 28, "center": True}
    picture = np.array(page.evaluate(CENTRE, [sent, 280, 280, form])).reshape(28, 28)
    rows, columns = np.nonzero(picture)
    # 140 x 70 becomes 20 x 10.
    assert (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) == (20, 10)
    centre = [(picture.sum(axis) * (np.arange(28) + 0.5)).sum() / picture.sum() for axis in (1, 0)]
    assert np.abs(np.array(centre) - 14).max() <= 0.5
    assert picture.sum() == pytest.approx(drawn.sum() / 49, rel=1e-4)
    small = page.evaluate(CENTRE, [sent, 280, 280, {**form, "center": False}])
    assert np.allclose(np.array(small).reshape(28, 28), drawn.reshape(28, 10, 28, 10).mean((1, 3)))


def test_two_versions_side_by_side(page: Page, catalogue: Catalogue) -> None:
    open_page(page, catalogue, "list")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Versions 7 and 6")
    for metric in catalogue.models[0]["metrics"]:
        row = page.get_by_role("row").filter(
            has=page.get_by_role("rowheader", name=re.compile(f"^{metric['label']}"))
        )
        older = next(m["value"] for m in catalogue.models[1]["metrics"] if m["name"] == metric["name"])
        is_newer_better = (metric["value"] > older) == (metric["better"] == "higher")
        expect(row.locator("td").nth(0 if is_newer_better else 1)).to_contain_text("better")
        expect(row.locator(".better")).to_have_count(1)
    expect(page.locator(".pairs svg")).to_have_count(4)
    left, right = page.locator(".pairs svg").all()[:2]
    ticks = [[text.text_content() for text in plot.locator("text").all()] for plot in (left, right)]
    assert ticks[0] == ticks[1], "both have the same axes"


def test_what_a_model_says_is_never_markup(page: Page, catalogue: Catalogue) -> None:
    evil = '<img src=x onerror="alert(1)"><b>bold</b>'
    catalogue.models[0] |= {"title": evil, "description": evil, "approved_by": evil}
    figures = [{"kind": "bars", "title": evil, "caption": evil, "rows": [[evil, 1]]},
               {"kind": "pictures", "title": evil, "caption": "", "pictures": [{"png": evil, "caption": evil}]}]  # fmt: skip
    catalogue.evaluations["auto_mpg", 7] = {"figures": figures, "warnings": [evil]}
    open_page(page, catalogue, "fields")
    expect(page.locator("main")).to_contain_text(evil)
    expect(page.locator("figcaption")).to_have_text(evil)
    assert page.locator("main b, main img").count() == 0


def test_a_model_whose_files_and_records_are_lost_is_still_shown(page: Page, catalogue: Catalogue) -> None:
    lost: dict[str, Any] = {
        "approved_at": None,
        "approved_by": None,
        "gate": None,
        "metrics": [],
        "problem": "Its model was deleted.",
    }
    catalogue.models[0] = {**catalogue.models[0], **lost, "formats": {"native": None, "onnx": None}}
    catalogue.evaluations["auto_mpg", 7] = {}
    page.goto(catalogue.link + "#/auto_mpg/7")
    expect(page.locator("main")).to_contain_text("Approved, not live.")
    expect(page.locator("main")).to_contain_text("Its model was deleted.")
    expect(page.locator(".trial")).to_contain_text("This version has no file that runs in a browser.")
    page.goto(catalogue.link + "#/")
    expect(page.get_by_role("row", name="Version 7")).to_be_visible()


def test_on_a_phone_nothing_is_outside_the_screen(page: Page, catalogue: Catalogue) -> None:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    for name in PAGES:
        open_page(page, catalogue, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], name


def test_everything_can_be_reached_by_keyboard(page: Page, catalogue: Catalogue) -> None:
    open_page(page, catalogue, "list")
    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to(page, "Try it: Fuel economy of cars")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Version 6")
    assert page.evaluate("document.activeElement.id") == "main"
    expect(page.locator(".curve")).to_be_visible()
    before = prediction(page)
    tab_to(page, "Weight, lb, slider")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for _ in range(12):
        page.keyboard.press("PageUp")
    expect(page.locator(".value")).not_to_contain_text(f"{before}")
    tab_to(page, "Compare")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Versions 6 and 7")


def tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("(e => e.ariaLabel ?? e.textContent)(document.activeElement)") == name:
            return
    raise AssertionError(f"Tab never comes to {name}")


# `make lint` installs it where there is Node.js.
if AXE.is_file():

    def test_axe_finds_no_barrier(page: Page, catalogue: Catalogue) -> None:
        for name in PAGES:
            open_page(page, catalogue, name)
            page.evaluate(AXE.read_text(encoding="utf-8"))
            assert barriers(page, "axe.run()") == [], name
            page.emulate_media(color_scheme="dark")
            assert barriers(page, "axe.run({ runOnly: ['color-contrast'] })") == [], f"{name}, dark"
            page.emulate_media(color_scheme="light")


def barriers(page: Page, run: str) -> list[tuple[str, list[str]]]:
    """The rules that a page breaks, and where."""
    found = page.evaluate(run)["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]][:3]) for rule in found]

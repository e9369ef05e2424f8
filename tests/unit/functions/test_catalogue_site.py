"""The catalogue's static files fit together. What they do in a browser: tests/web."""

import gzip
import hashlib
import json
import re
from pathlib import Path

SITE = Path(__file__).parents[3] / "functions" / "catalogue_site"
PAGE_KINDS = {".js", ".css", ".svg", ".webmanifest"}
[LISTED] = SITE.glob("onnxruntime-web-*.json")
RUNTIME = LISTED.stem
# A function's answer has at most 6 MB, with the body in base64.
LONGEST_ANSWER = 5_500_000


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_vendored_files_are_the_released_ones() -> None:
    listed = json.loads(LISTED.read_text())["files"]
    vendored = {path.name for path in SITE.glob("onnxruntime-web-*") if path.suffix in (".mjs", ".gz")}
    assert set(listed) == vendored
    for name, file in listed.items():
        content = (SITE / name).read_bytes()
        assert digest(content) == file["sha256"]
        if name.endswith(".gz"):
            assert digest(gzip.decompress(content)) == file["unpacked_sha256"]
            assert len(content) * 4 / 3 < LONGEST_ANSWER


def test_the_worker_keeps_every_file_of_the_page() -> None:
    worker = (SITE / "worker.js").read_text()
    [names] = re.findall(r"const FILES = `([^`]+)`", worker)
    files = {path.name for path in SITE.iterdir() if path.suffix in PAGE_KINDS} - {"worker.js"}
    assert sorted(names.split()) == sorted(files)
    assert f'"/assets/{RUNTIME}"' in worker


def test_the_page_needs_nothing_that_its_policy_forbids() -> None:
    page = (SITE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=\"/assets/)", page)
    assert not re.search(r"(?:src|href)=\"(?!/assets/|#)", page)
    for script in SITE.glob("*.js"):
        assert not re.search(
            r"innerHTML|insertAdjacentHTML|\beval\(|https?://(?!www\.w3\.org)", script.read_text()
        ), script


def test_every_module_that_is_imported_is_there() -> None:
    for script in SITE.glob("*.js"):
        for name in re.findall(r"(?:from|import\()\s?\"\./([^\"]+)\"", script.read_text()):
            assert (SITE / name).is_file(), f"{script.name} imports {name}"
    assert f"{RUNTIME}.mjs" in (SITE / "predictor.js").read_text()

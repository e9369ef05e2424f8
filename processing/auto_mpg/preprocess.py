"""Splits an upload of cars and writes the files for training, evaluation and batch prediction.

A file of up to 64 MiB is held in memory. A larger one is read in parts of that size, on all cores and
machines of the cluster. The first pass checks the rows, learns from those that train, and keeps their columns
in files, from which the second pass writes. Neither depends on how many work on it. Several files are read
once more, to find the rows that count.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from auto_mpg.columns import Cars, concatenate
from auto_mpg.divided import divide, take
from auto_mpg.features import Preprocessor, to_json
from auto_mpg.labelled import SAMPLE
from auto_mpg.names import clean
from auto_mpg.survey import Survey, count, kept_file, survey
from auto_mpg.table import open_upload
from auto_mpg.together import Part, Uploads, mark_latest, mark_parts
from auto_mpg.writing import Place, Written, write, write_labelled
from common.arrow import to_arrow, to_numpy
from common.cluster import Cluster
from common.preprocessing import Prepared
from common.splitting import FIXED, PARTS, Borders, exact_borders
from common.text import shown_name
from common.uploads import REPLACED, BadUpload, Problems


def prepare(upload: Path, name: str, output: Path, cluster: Cluster) -> Prepared:
    """Write the tables for an upload. Raises BadUpload, whose message calls it `name`."""
    return prepare_all([(upload, name)], output, cluster)


def prepare_all(uploads: Sequence[tuple[Path, str]], output: Path, cluster: Cluster) -> Prepared:
    """Write the tables for uploads with their names, the latest of which is the last. Raises BadUpload."""
    opened = Uploads([open_upload(upload, name) for upload, name in uploads])
    if opened.fit_into_a_part:
        return _prepare_in_memory(opened, output, cluster.training_hosts)
    return _prepare_in_parts(opened, output, cluster, FIXED)


def _prepare_in_memory(uploads: Uploads, output: Path, hosts: int) -> Prepared:
    cars, found = _read_all(uploads)
    borders = exact_borders(cars.hashes()[cars.is_labelled])
    cars = _in_order(cars)
    divided = found.add(cars, cars.hashes(), borders)
    _refuse_useless(uploads, found, hosts)
    preprocessor = _write_preprocessor(found, output)
    written = write(divided, preprocessor, Place(training_files=hosts), output)
    return _prepared(found, [written], output, "exact shares of the different rows")


def _read_all(uploads: Uploads) -> tuple[Cars, Survey]:
    found = Survey(Problems(uploads.name))
    each = list(uploads.read())
    cars = concatenate(each)
    if len(each) > 1:
        is_latest = mark_latest(cars, [len(of_upload) for of_upload in each])
        found.replaced = int((~is_latest).sum())
        cars = cars[is_latest]
    count(cars, cars.hashes(), found.tally)
    found.tally.refuse_too_little(uploads.name)
    return Cars(cars.columns, clean(cars.names)), found


def _in_order(cars: Cars) -> Cars:
    """First the unlabelled cars, and then the others in an order that does not depend on that of the file."""
    labelled = cars[cars.is_labelled]
    columns = [to_arrow(labelled.hashes()), to_arrow(labelled.mpg), labelled.names]
    keys = pa.table(columns, names=["content", "label", "name"])
    order = to_numpy(pc.sort_indices(keys, [(key, "ascending") for key in keys.column_names]))
    return concatenate([cars[~cars.is_labelled], labelled[order]])


def _prepare_in_parts(uploads: Uploads, output: Path, cluster: Cluster, borders: Borders) -> Prepared:
    several = len(uploads.uploads) > 1
    cut = mark_parts(uploads, cluster, output.parent) if several else uploads.parts()
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        kept = Path(folder)
        found, parts = _survey_all(uploads.name, cut, cluster, partial(survey, borders, kept))
        _refuse_useless(uploads, found, cluster.training_hosts)
        preprocessor = _write_preprocessor(found, output)
        files = _training_files(found.training, cluster.training_hosts)
        tasks = [(Place(number, len(parts), files), part) for number, part in enumerate(parts)]
        write_part = partial(_write_part, borders, kept, preprocessor, output)
        written = cluster.map(write_part, tasks, near=lambda task: found.hosts[task[0].part])
        return _prepared(found, written, output, "fixed borders of the hashes")


def _survey_all(
    name: str, cut: Iterable[Part], cluster: Cluster, survey_part: Callable[[tuple[int, Part]], Survey]
) -> tuple[Survey, list[Part]]:
    parts: list[Part] = []

    def noted() -> Iterable[tuple[int, Part]]:
        for part in cut:
            parts.append(part)
            yield len(parts) - 1, part

    found = Survey(Problems(name))
    for of_part in cluster.map(survey_part, noted()):
        found.merge(of_part)
        if found.problems.suffice:
            found.problems.stopped = True
            break
    found.problems.refuse_any()
    found.tally.refuse_too_little(name)
    found.replaced = sum(part.replaced for part in parts)
    return found, parts


def _write_part(
    borders: Borders, kept: Path, preprocessor: Preprocessor, output: Path, task: tuple[Place, Part]
) -> Written:
    place, part = task
    divided = take(kept_file(kept, place.part))
    if divided is None:
        # Another machine surveyed it, or this one has written it before its worker was lost.
        problems = Problems(part.upload.name)
        cars = part.read(problems, named=True)
        problems.refuse_any()
        divided = divide(cars, cars.hashes(), borders)
    return write(divided, preprocessor, place, output)


def _refuse_useless(uploads: Uploads, found: Survey, hosts: int) -> None:
    name = shown_name(uploads.name)
    if not found.fit.horsepower.count:
        raise BadUpload(
            f"{name} has too few rows with horsepower; none of them is in the part that trains the model"
        )
    for part, rows in zip(PARTS, found.rows.tolist(), strict=True):
        if not rows:
            raise BadUpload(f"{name} has too few different rows; none of them is in the {part} part")
    if found.rows[0] < hosts:
        raise BadUpload(
            f"{name} has too few rows ({found.rows[0]} in the part that trains the model) to train on "
            f"{hosts} machines; set TrainingInstanceCount to {found.rows[0]} or fewer"
        )


def _training_files(training_rows: list[int], hosts: int) -> int:
    """Into how many files the training rows of each part go, so that every host gets one with rows."""
    files = 1
    while sum(min(files, rows) for rows in training_rows) < hosts:
        files += 1
    return files


def _write_preprocessor(found: Survey, output: Path) -> Preprocessor:
    preprocessor = found.fit.preprocessor()
    output.mkdir(parents=True, exist_ok=True)
    (output / "preprocessor.json").write_text(to_json(preprocessor), encoding="utf-8")
    return preprocessor


def _prepared(found: Survey, written: Iterable[Written], output: Path, method: str) -> Prepared:
    digests = {SAMPLE: write_labelled(output / SAMPLE, found.sample.cars)}
    rows: dict[str, int] = dict.fromkeys([*PARTS, "batch"], 0)
    for part in written:
        digests |= part.digests
        rows = {kind: rows[kind] + part.rows[kind] for kind in rows}
    labelled = found.tally.labelled
    counts = {
        "uploaded": found.tally.rows + found.replaced,
        **({REPLACED: found.replaced} if found.replaced else {}),
        "labelled": labelled,
        "unlabelled": found.tally.rows - labelled,
        **rows,
    }
    shares: Mapping[str, float] = {part: rows[part] / labelled for part in PARTS}
    return Prepared(counts, report={"split": {"by": method, "shares": shares}}, digests=digests)

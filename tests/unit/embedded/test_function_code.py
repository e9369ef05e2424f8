"""Code of functions is unpacked once, and every process sees all of it."""

import sys
import zipfile
from pathlib import Path

import pytest

from local.embedded.function_code import LARGEST_IN_MEMORY, Packages, SharedZips


@pytest.fixture
def shared(tmp_path: Path) -> SharedZips:
    return SharedZips(tmp_path / "unpacked", Packages(tmp_path))


def pack(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".py", content)
    return path


def unpack(shared: SharedZips, archive: Path, target: Path) -> Path:
    target.mkdir()
    with shared.ZipFile(str(archive)) as opened:
        opened.extractall(str(target))
    return target


def test_each_process_has_the_code_in_a_folder_of_its_own(shared: SharedZips, tmp_path: Path) -> None:
    archive = pack(tmp_path / "code.zip", handler="one", package__module="two")
    for name in ("first", "second"):
        code = unpack(shared, archive, tmp_path / name)
        assert sorted(path.name for path in code.iterdir()) == ["handler.py", "package"]
        assert (code / "handler.py").read_text() == "one"
        assert (code / "package" / "module.py").read_text() == "two"


def test_the_same_code_is_unpacked_once(shared: SharedZips, tmp_path: Path) -> None:
    archives = [pack(tmp_path / "a.zip", handler="x"), tmp_path / "b.zip"]
    archives[1].write_bytes(archives[0].read_bytes())
    first, second = (unpack(shared, archive, tmp_path / archive.stem) for archive in archives)
    assert (first / "handler.py").resolve() == (second / "handler.py").resolve()


def test_other_code_is_unpacked_beside_it(shared: SharedZips, tmp_path: Path) -> None:
    old = unpack(shared, pack(tmp_path / "a.zip", handler="old"), tmp_path / "a")
    new = unpack(shared, pack(tmp_path / "b.zip", handler="new"), tmp_path / "b")
    assert [(code / "handler.py").read_text() for code in (old, new)] == ["old", "new"]


def test_removing_a_process_leaves_the_code_to_the_others(shared: SharedZips, tmp_path: Path) -> None:
    archive = pack(tmp_path / "code.zip", handler="x")
    first, second = (unpack(shared, archive, tmp_path / name) for name in ("first", "second"))
    (first / "handler.py").unlink()
    assert (second / "handler.py").read_text() == "x"


def test_a_reference_is_unpacked_as_the_package_that_it_stands_for(tmp_path: Path) -> None:
    packages = Packages(tmp_path)
    shared = SharedZips(tmp_path / "unpacked", packages)
    whole = pack(tmp_path / "whole.zip", handler="one", ballast="." * LARGEST_IN_MEMORY)
    package, reference = packages.kept(whole.read_bytes()), tmp_path / "reference.zip"
    reference.write_bytes(packages.reference(package))
    assert reference.stat().st_size < 100
    first, second, third = (
        unpack(shared, archive, tmp_path / name)
        for name, archive in (("first", reference), ("second", reference), ("third", whole))
    )
    places = {(code / "handler.py").resolve() for code in (first, second, third)}
    assert [place.read_text() for place in places] == ["one"]


def test_a_package_that_was_unpacked_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = Packages(tmp_path)
    shared = SharedZips(tmp_path / "unpacked", packages)
    archive = pack(tmp_path / "code.zip", handler="one", ballast="." * LARGEST_IN_MEMORY)
    package = packages.kept(archive.read_bytes())
    archive.write_bytes(packages.reference(package))
    unpack(shared, archive, tmp_path / "first")
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert (unpack(shared, archive, tmp_path / "second") / "handler.py").read_text() == "one"


def test_only_a_kept_package_has_a_reference_and_nothing_is_found_by_it_when_the_package_is_gone(
    shared: SharedZips, tmp_path: Path
) -> None:
    packages = Packages(tmp_path)
    assert packages.reference(b"small") == b"small"
    package, archive = packages.kept(large("a")), tmp_path / "code.zip"
    archive.write_bytes(packages.reference(package))
    del package
    with pytest.raises(shared.BadZipFile):
        SharedZips(tmp_path / "unpacked", packages).ZipFile(str(archive))


def test_what_is_no_archive_is_refused_as_ever(shared: SharedZips, tmp_path: Path) -> None:
    broken = tmp_path / "code.zip"
    broken.write_bytes(b"no archive")
    with pytest.raises(shared.BadZipFile):
        shared.ZipFile(str(broken))


def large(character: str) -> bytes:
    return character.encode() * (LARGEST_IN_MEMORY + 1)


def test_the_same_package_is_kept_once_in_a_file_without_a_name(tmp_path: Path) -> None:
    packages = Packages(tmp_path)
    first, again, other = (packages.kept(large(each)) for each in "aab")
    assert first is again
    assert (bytes(first), bytes(other)) == (large("a"), large("b"))
    assert list(tmp_path.iterdir()) == []


def test_whoever_waits_for_packages_gets_each_large_one_once(tmp_path: Path) -> None:
    arrived: list[bytes] = []
    packages = Packages(tmp_path, lambda package: arrived.append(bytes(package)))
    kept = [packages.kept(package) for package in (large("a"), b"small", large("a"), large("b"))]
    assert arrived == [large("a"), large("b")]
    assert kept[0] is kept[2]


def test_a_small_package_a_kept_one_and_none_stay_what_they_are(tmp_path: Path) -> None:
    packages = Packages(tmp_path)
    small, kept = b"a" * LARGEST_IN_MEMORY, packages.kept(large("a"))
    assert packages.kept(small) is small
    assert packages.kept(kept) is kept
    assert packages.kept(None) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much of a file is in memory")
def test_a_package_takes_memory_only_while_it_is_read(tmp_path: Path) -> None:
    def in_memory() -> list[int]:
        maps = Path("/proc/self/smaps").read_text().partition(str(tmp_path))[2]
        return [int(line.split()[1]) for line in maps.splitlines() if line.startswith("Rss:")][:1]

    packages = Packages(tmp_path)
    kept = packages.kept(large("a"))
    assert in_memory() == [0]
    assert kept[-1:] == b"a"
    assert in_memory() > [0]
    packages.rest()
    assert in_memory() == [0]
    assert bytes(kept) == large("a")
    del kept
    assert in_memory() == []

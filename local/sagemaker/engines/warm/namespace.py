"""A job's own view of the machine: its folder is /opt/ml, and it can change nothing outside of that folder.

Linux 5.12 and later, as root or where users may make namespaces of their own. Standard library only: the
system calls that Python 3.11 does not wrap are called in the C library.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

# From <sched.h>, <sys/mount.h>, <linux/mount.h>, <linux/sockios.h> and <net/if.h>.
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MOUNT_ATTR_RDONLY = 0x1
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
SYS_MOUNT_SETATTR = 442
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1

# What a job may write to besides /opt/ml, and the subfolder that it writes to in truth.
PRIVATE = {Path("/tmp"): "tmp", Path("/root"): "home", Path("/dev/shm"): "shm"}  # noqa: S108 - covered
# What the interpreter runs from; looked up once, before any fork.
INTERPRETER = frozenset(
    path
    for path in map(Path, {str(Path(__file__).resolve().parents[4]), sys.prefix, sys.base_prefix, *sys.path})
    if path.is_absolute() and path.exists()
)


def why_not() -> str:
    """Why this machine gives jobs no namespaces, found by trying in a child process; empty if it does."""
    if sys.platform != "linux":
        return "it does not run Linux"
    with tempfile.TemporaryDirectory() as folder:
        reader, writer = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                enter(Path(folder).resolve(), network=False)
            except BaseException as error:
                os.write(writer, str(error).encode())
            finally:
                os._exit(0)
        os.close(writer)
        reason = os.read(reader, 1024).decode()
        os.close(reader)
        os.waitpid(pid, 0)
    return reason


def enter(folder: Path, *, network: bool) -> None:
    """Give this process, which must have one thread, the view of a job that owns ``folder``.

    ``<folder>/ml`` becomes /opt/ml; what pip installs goes to ``<folder>/packages``. Without ``network``
    there is the loopback interface and no other. Raises OSError where the kernel refuses.
    """
    for name in ("ml", "opt", "packages", "work", *PRIVATE.values()):
        (folder / name).mkdir(exist_ok=True)
    unshare(network)
    change_mounts(Path("/"), read_only=True)
    bind(folder, folder)
    change_mounts(folder, read_only=False)
    overlay_packages(folder)
    kept = {folder, *INTERPRETER}
    for place, name in PRIVATE.items():
        if place.is_dir() and place not in kept:
            cover(place, folder / name, kept)
    opt = Path("/opt")
    others = (path for path in opt.iterdir() if path.name != "ml" and path.exists())
    cover(opt, folder / "opt", {*kept, *others})
    (opt / "ml").mkdir(exist_ok=True)
    bind(folder / "ml", opt / "ml")


def unshare(network: bool) -> None:
    """Enter new namespaces, as their root: what a container's user is."""
    user, group = os.geteuid(), os.getegid()
    # Real root needs no user namespace, and keeps the owners of files as they are.
    flags = CLONE_NEWNS | (CLONE_NEWUSER if user else 0) | (0 if network else CLONE_NEWNET)
    call("unshare", flags)
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    if not network:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def overlay_packages(folder: Path) -> None:
    """Let the job install packages where its interpreter looks for them.

    A file system that cannot be overlaid leaves them read-only, and pip says so. ``volatile``: nobody reads
    what is left behind, so nothing need reach the disk.
    """
    layers = f"lowerdir={sys.prefix},upperdir={folder}/packages,workdir={folder}/work"
    with contextlib.suppress(OSError):
        mount("overlay", sys.prefix, "overlay", 0, f"{layers},userxattr,volatile")


def cover(place: Path, own: Path, kept: Iterable[Path]) -> None:
    """Show a folder of the job in place of one of the machine's, in which only what is ``kept`` stays."""
    inside = {path for path in kept if path.is_relative_to(place)}
    # Opened before they are covered; what lies in another of them comes along with it.
    opened = {path: os.open(path, os.O_PATH) for path in inside if not inside.intersection(path.parents)}
    bind(own, place)
    for path, fd in opened.items():
        source = Path(f"/proc/self/fd/{fd}")
        if source.is_dir():
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        bind(source, path)
        os.close(fd)


def bind(source: Path, target: Path) -> None:
    """Show a file or folder, with what is mounted below it, in a second place."""
    mount(str(source), str(target), "", MS_BIND | MS_REC, "")


def change_mounts(path: Path, *, read_only: bool) -> None:
    """Make the mount at ``path`` and all below it read-only or not, and the job's own affair."""
    attributes = (MOUNT_ATTR_RDONLY, 0) if read_only else (0, MOUNT_ATTR_RDONLY)
    size = struct.calcsize("4Q")
    settings = struct.pack("4Q", *attributes, MS_PRIVATE, 0)
    call(
        "syscall",
        SYS_MOUNT_SETATTR,
        AT_FDCWD,
        os.fsencode(path),
        AT_RECURSIVE,
        settings,
        ctypes.c_size_t(size),
    )


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    """mount(2)."""
    texts = [text.encode() for text in (source, target, kind, options)]
    call("mount", *texts[:3], ctypes.c_ulong(flags), texts[3])


def call(function: str, *arguments: object) -> None:
    """Call a function of the C library. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, function)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")

"""Gives a job its own view of the machine: its folder is /opt/ml, and it cannot change anything outside of
it.

Needs Linux 5.12 and root, or permission for users to create namespaces. Standard library only: system calls
that Python 3.11 does not wrap go through the C library.
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
from collections.abc import Iterable, Sequence
from pathlib import Path

# From <sched.h>, <sys/mount.h>, <linux/mount.h>, <linux/sockios.h>, <net/if.h> and
# <linux/capability.h>.
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MOUNT_ATTR_RDONLY = 0x1
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
SYS_MOUNT_SETATTR = 442
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
CAPABILITY_VERSION_3 = 0x20080522

# The user that a function of Lambda is, on which SageMaker runs serverless endpoints.
CONFINED_USER = 993

# Folders that a job may write to besides /opt/ml, and the subfolders that replace them.
PRIVATE = {Path("/tmp"): "tmp", Path("/root"): "home", Path("/dev/shm"): "shm"}  # noqa: S108 - covered
# What a frugal job can write to each of them.
SCRATCH = "size=64m,mode=755"
# The interpreter's own files; looked up once, before any fork.
INTERPRETER = frozenset(
    path
    for path in map(Path, {str(Path(__file__).resolve().parents[4]), sys.prefix, sys.base_prefix, *sys.path})
    if path.is_absolute() and path.exists()
)


def why_not() -> str:
    """Why jobs cannot have namespaces on this machine, from a trial in a child process; empty if they can."""
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


def make_network() -> list[int]:
    """Leave this process, which must have a single thread, only the loopback interface. Returns descriptors
    with which other processes can ``join`` it. Raises OSError if the kernel refuses."""
    kinds = ("user", "net") if os.geteuid() else ("net",)
    unshare(network=False)
    return [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in kinds]


def join(network: Sequence[int]) -> None:
    """Have this process, which must have a single thread, share the network of ``make_network``."""
    for fd in network:
        call("setns", fd, 0)


def enter(folder: Path, *, network: bool, confined: bool = False, frugal: bool = False) -> None:
    """Give this process, which must have a single thread, the view of a job that owns ``folder``.

    ``<folder>/ml`` becomes /opt/ml, and ``<folder>/hosts``, if there is one, /etc/hosts; pip installs into
    ``<folder>/packages``. Without ``network``, there is only the loopback interface. A ``confined`` job can
    write only to /tmp, and is not root. A ``frugal`` one cannot install packages, and what it writes outside
    of /opt/ml stays in memory. Raises OSError if the kernel refuses.
    """
    for name in ("ml",) if frugal else ("ml", "opt", "packages", "work", *PRIVATE.values()):
        (folder / name).mkdir(exist_ok=True)
    unshare(network)
    change_mounts(Path("/"), read_only=True)
    bind(folder, folder)
    change_mounts(folder, read_only=False)
    if not frugal:
        overlay_packages(folder)
    kept = {folder, *INTERPRETER}
    for place, name in PRIVATE.items():
        if place.is_dir() and place not in kept:
            cover(place, None if frugal else folder / name, kept)
    opt = Path("/opt")
    others = (path for path in opt.iterdir() if path.name != "ml" and path.exists())
    cover(opt, None if frugal else folder / "opt", {*kept, *others})
    (opt / "ml").mkdir(exist_ok=True)
    bind(folder / "ml", opt / "ml")
    if (folder / "hosts").exists():
        bind(folder / "hosts", Path("/etc/hosts"))
    if confined:
        confine()


def confine() -> None:
    """Leave this process only /tmp to write to, and the name and the rights of another user than root."""
    change_mounts(Path("/"), read_only=True)
    # Its own /tmp; and /proc, where the next lines and nobody without rights can change anything.
    for place in ("/tmp", "/proc"):  # noqa: S108 - the job's own
        change_mounts(Path(place), read_only=False, below=False)
    user, group = os.geteuid(), os.getegid()
    call("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{CONFINED_USER} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{CONFINED_USER} {group} 1")
    call("capset", struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24))


def unshare(network: bool) -> None:
    """Enter new namespaces as their root, which is a container's user."""
    user, group = os.geteuid(), os.getegid()
    # Real root needs no user namespace, without which files keep their owners.
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

    If the file system cannot be overlaid, they stay read-only, and pip reports that. ``volatile``: nothing
    needs to reach the disk, because nobody reads it later.
    """
    layers = f"lowerdir={sys.prefix},upperdir={folder}/packages,workdir={folder}/work"
    with contextlib.suppress(OSError):
        mount("overlay", sys.prefix, "overlay", 0, f"{layers},userxattr,volatile")


def cover(place: Path, own: Path | None, kept: Iterable[Path]) -> None:
    """Cover a folder of the machine by one of the job's, by default in memory, in which only ``kept`` stays
    visible."""
    inside = {path for path in kept if path.is_relative_to(place)}
    # Opened before they are covered; a path below another one comes with it.
    opened = {path: os.open(path, os.O_PATH) for path in inside if not inside.intersection(path.parents)}
    if own is None:
        mount("tmpfs", str(place), "tmpfs", 0, SCRATCH)
    else:
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
    """Show a file or folder, including the mounts below it, in a second place."""
    mount(str(source), str(target), "", MS_BIND | MS_REC, "")


def change_mounts(path: Path, *, read_only: bool, below: bool = True) -> None:
    """Make the mounts at and ``below`` the path private to the job, and read-only or writable."""
    attributes = (MOUNT_ATTR_RDONLY, 0) if read_only else (0, MOUNT_ATTR_RDONLY)
    size = struct.calcsize("4Q")
    settings = struct.pack("4Q", *attributes, MS_PRIVATE, 0)
    call(
        "syscall",
        SYS_MOUNT_SETATTR,
        AT_FDCWD,
        os.fsencode(path),
        AT_RECURSIVE if below else 0,
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

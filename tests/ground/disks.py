"""Small disks that are really full, or really can't be written to: each a tmpfs that the test mounts and takes away."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_BLOCK = 4096


@cache
def may_mount() -> bool:
    """Whether this process may mount a tmpfs: tried once, for root in a container may not."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as directory:
        command = [mount, "-t", "tmpfs", "-o", "size=64k", "onceship-tests", directory]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
        _unmount(Path(directory))
    return True


def need_disks() -> None:
    """Skip the test where no small disk can be had."""
    if not may_mount():
        pytest.skip("a small disk needs the right to mount one: run this as root")


class SmallDisk:
    """A context manager: a disk of so many bytes on a directory, which it makes; gone when the block has ended."""

    def __init__(self, directory: Path, *, size: int, owner: int = 0) -> None:
        """`owner` is the user that the directory will belong to."""
        self.directory = directory
        self._size = size
        self._owner = owner
        self._ballast = directory / "ballast"

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        options = f"size={self._size},mode=700,uid={self._owner}"
        _run("mount", "-t", "tmpfs", "-o", options, "onceship-tests", str(self.directory))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _unmount(self.directory)

    def fill(self) -> None:
        """Take all room that is left, to the last block."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(_BLOCK)):
                    pass
            except OSError:
                pass

    def make_room(self) -> None:
        """Give the room back."""
        self._ballast.unlink()

    @contextmanager
    def full(self) -> Iterator[None]:
        """No room is left within the block."""
        self.fill()
        try:
            yield
        finally:
            self.make_room()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Nothing can be written within the block. Root may write whatever permissions say, but not here."""
        _run("mount", "-o", "remount,ro", str(self.directory))
        try:
            yield
        finally:
            _run("mount", "-o", "remount,rw", str(self.directory))

    def blocks_left(self) -> int:
        """How many blocks of 4 KiB are free."""
        return os.statvfs(self.directory).f_bavail


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


_MNT_DETACH = 2


def _unmount(directory: Path) -> None:
    """Also one on which a file is still open: it goes when that is closed (umount2(2), MNT_DETACH)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(directory), _MNT_DETACH):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(directory))

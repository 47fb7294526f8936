"""Addresses that lead nowhere: each is refused in words, and nothing is created."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actorflow.client import Client
from actorflow.client.address import address_of_file
from actorflow.exceptions import NotOurFileError


def behind_a_file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "orders.db"


def in_a_circle(folder: Path) -> Path:
    (folder / "circle").symlink_to("circle")
    return folder / "circle"


PLACES: dict[str, Callable[[Path], Path]] = {
    "behind a file": behind_a_file,
    "a name that is too long": lambda folder: folder / ("x" * 300),
    "in a folder whose name is too long": lambda folder: folder / ("x" * 300) / "orders.db",
    "links in a circle": in_a_circle,
    "behind links in a circle": lambda folder: in_a_circle(folder) / "orders.db",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("read_only", [True, False])
async def test_a_path_that_cannot_be_is_refused(tmp_path: Path, place: str, read_only: bool) -> None:
    path = PLACES[place](tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(NotOurFileError) as refused:
        await Client.connect(f"sqlite:///{path}", read_only=read_only)
    assert str(path) in str(refused.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["100% off.db", "e%20f.db", "a?b#c&d.db", "日本.db"])
async def test_a_file_is_reached_by_its_address_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    async with await Client.connect(address_of_file(tmp_path / name)):
        assert (tmp_path / name).exists()

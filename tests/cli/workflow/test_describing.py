"""``workflow describe`` of executions with relatives."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.commands import Run
from tests.client.test_describing import Parcel, Sends
from tests.support import a_place, start


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """A file of a parent with an open child, and of a run that is to begin tomorrow."""
    path = tmp_path / "family.db"
    asyncio.run(_started(path))
    return path


async def _started(path: Path) -> None:
    async with a_place(Sends, Parcel, path=path) as client:
        handle = await start(client, Sends.run)
        await handle.execute_update(Sends.wait)
        later = {"start_delay": timedelta(days=1), "execution_timeout": timedelta(days=2)}
        await start(client, "Nobody", id="later", **later)


def test_children_are_told_with_what_becomes_of_them(family: Path, run: Run) -> None:
    out = run("workflow", "describe", "w", "--db", family).out
    assert "pending children\n" in out
    assert out.splitlines()[-1].split("\t")[:4] == ["parcel", "Parcel", "started", "abandon"]
    assert "parent id" not in out


def test_programs_are_told_all_of_it(family: Path, run: Run) -> None:
    about = json.loads(run("workflow", "describe", "w", "--db", family, "-o", "json").out)
    (child,) = about["pending_children"]
    assert (child["workflow_id"], child["state"], child["initiated_id"]) == ("parcel", "started", 5)
    assert (about["parent_id"], about["attempt"], about["pending_messages"]) == (None, 1, [])
    assert about["first_execution_run_id"] == about["run_id"]


def test_a_child_names_its_parent_and_a_delayed_run_its_beginning_and_end(family: Path, run: Run) -> None:
    child = run("workflow", "describe", "parcel", "--db", family).out
    assert "parent id\tw\n" in child
    assert "root id\tw\n" in child
    later = run("workflow", "describe", "later", "--db", family).out
    assert "execution time\t" in later
    assert "execution timeout\t2 d\n" in later
    assert "expiration time\t" in later

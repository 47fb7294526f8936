"""``workflow list|describe`` show memo and search attributes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from actorflow.api.common.v1 import Payload
from actorflow.cli.exits import Exit
from actorflow.common import RawValue
from tests.cli.commands import Run
from tests.support import a_client, start


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    """A journal of one execution with notes, and one without."""
    path = tmp_path / "journal.db"

    async def fill() -> None:
        async with a_client(path) as client:
            await start(
                client,
                "Order",
                id="noted",
                memo={"of": ["a", 1]},
                search_attributes={"Customer": ["acme"], "Tags": ["x", "y"]},
                static_summary="a large order",
            )
            await start(client, "Order", id="plain")
            secret = RawValue(Payload(data=b"?", metadata={"encoding": b"binary/secret"}))
            await start(client, "Order", id="secret", memo={"of": secret})

    asyncio.run(fill())
    return path


def test_a_list_is_narrowed_down_by_a_search_attribute_and_shows_it(run: Run, noted: Path) -> None:
    code, out, err = run("workflow", "list", "-q", "Customer = 'acme'", "--db", noted)
    assert (code, err) == (Exit.DONE, "")
    (line,) = out.splitlines()[1:]
    assert line.split("\t")[1] == "noted"
    assert line.split("\t")[-1] == 'Customer = "acme", Tags = ["x", "y"]'
    (one,) = json.loads(run("workflow", "list", "-q", "Tags = 'y'", "--db", noted, "-o", "json").out)
    assert one["search_attributes"] == {"Customer": "acme", "Tags": ["x", "y"]}


def test_a_description_tells_what_is_noted(run: Run, noted: Path) -> None:
    out = run("workflow", "describe", "noted", "--db", noted).out
    assert "static summary\ta large order\n" in out
    assert 'memo\tof = ["a", 1]\n' in out
    assert "memo" not in run("workflow", "describe", "plain", "--db", noted).out
    told = json.loads(run("workflow", "describe", "noted", "--db", noted, "-o", "json").out)
    assert (told["memo"], told["search_attributes"]["Customer"]) == ({"of": ["a", 1]}, "acme")


def test_a_memo_that_can_not_be_read_here_is_said_to_be_so(run: Run, noted: Path) -> None:
    code, out, _ = run("workflow", "describe", "secret", "--db", noted)
    assert code == Exit.DONE
    assert "'binary/secret'" in out


def test_an_unknown_search_attribute_is_answered_with_the_nearest_one(run: Run, noted: Path) -> None:
    code, _, err = run("workflow", "list", "-q", "Custommer = 'acme'", "--db", noted)
    assert code == Exit.USAGE
    assert "did you mean Customer?" in err

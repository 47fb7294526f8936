"""Checking a file from outside: runs that follow each other, and parents and children, say the same of each other."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actorflow import workflow
from actorflow.store.sqlite.verify import Verification, verify
from tests.support import a_place, execute


@workflow.defn
class Leaf:
    @workflow.run
    async def run(self) -> None: ...


@workflow.defn
class Tree:
    """Two runs, each with children."""

    @workflow.run
    async def run(self, runs: int) -> None:
        for number in range(3):
            await workflow.execute_child_workflow(Leaf.run, id=f"leaf-{runs}-{number}")
        if runs > 1:
            workflow.continue_as_new(runs - 1)


@pytest.fixture
async def tree(path: Path) -> Path:
    """A file of two runs that follow each other, with three children each."""
    async with a_place(Tree, Leaf, path=path) as client:
        await execute(client, Tree.run, 2, id="tree")
    return path


def change(path: Path, statement: str) -> Verification:
    """What is found after a program that should not have done so has changed the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
    return verify(path)


async def test_a_tree_of_runs_is_sound(tree: Path) -> None:
    found = verify(tree)
    assert found.is_sound
    assert found.runs == 8


FIRST = "(SELECT key FROM run WHERE workflow_id = 'tree' ORDER BY key LIMIT 1)"
LAST = "(SELECT key FROM run WHERE workflow_id = 'tree' ORDER BY key DESC LIMIT 1)"
LEAF = "(SELECT key FROM run WHERE workflow_id = 'leaf-2-1')"


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (FIRST, ["I8", "I9", "I9", "I9"]),
        (LAST, ["I8", "I9", "I9", "I9"]),
        (LEAF, ["I9"]),
    ],
)
async def test_a_relative_that_is_gone_is_missed_by_all_who_know_it(tree: Path, gone: str, said: list[str]) -> None:
    found = change(tree, f"DELETE FROM run WHERE key = {gone}")
    assert sorted(one.invariant for one in found.violations if one.invariant != "I10") == said
    assert all("does not exist" in one.what for one in found.violations)


async def test_rows_of_a_relative_that_can_not_be_read_are_said_to_be_so_and_nothing_else(tree: Path) -> None:
    found = change(tree, f"UPDATE turn SET events = CAST(x'5bff5d' AS TEXT) WHERE run = {LEAF}")
    assert [one.invariant for one in found.violations] == ["I2"]


async def test_a_relative_of_another_workflow_is_none(tree: Path) -> None:
    found = change(tree, f"UPDATE run SET workflow_id = 'bush' WHERE key = {LAST}")
    said = {one.what for one in found.violations if one.invariant == "I8"}
    assert len(said) == 1
    assert "is one of workflow 'bush'" in said.pop()

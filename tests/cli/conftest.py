"""Journals for commands to look at, and a way to run one."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.cli.commands import Run, in_here
from tests.cli.programs import fill


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that no test writes to."""
    path = tmp_path_factory.mktemp("journal") / "orders.db"
    asyncio.run(fill(path))
    return path


@pytest.fixture
def journal(filled: Path, tmp_path: Path) -> Path:
    """A journal of the test's own."""
    path = tmp_path / "orders.db"
    shutil.copy(filled, path)
    shutil.copy(f"{filled}.lock", f"{path}.lock")
    return path


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a journal and a terminal of their own."""
    for name in ("ACTORFLOW_DB", "NO_COLOR", "COLUMNS", "ACTORFLOW_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process."""
    return partial(in_here, capsys)


@pytest.fixture
def look(run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, on the journal that no test writes to."""
    monkeypatch.setenv("ACTORFLOW_DB", str(filled))
    return run

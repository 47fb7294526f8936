"""The example of context propagation goes as its README says."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.context_propagation.__main__ import main


def test_who_has_asked_travels_with_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--db", str(tmp_path / "refunds.db")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "PermissionError: ada has asked for it, and can't approve it",
        "approved by grace",
        "30 EUR asked for by ada; approved by grace",
    ]

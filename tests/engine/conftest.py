"""Fixtures of these stories."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorflow.core import limits


@pytest.fixture
def parks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that fails once is parked, and nobody tries it again while the test runs."""
    monkeypatch.setattr(limits, "TURN_FAILURES_BEFORE_PARKING", 1)
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MIN", timedelta(minutes=10))


@pytest.fixture
def quick_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that could not be written is written again after milliseconds."""
    monkeypatch.setattr(limits, "STORE_RETRY_DELAY", timedelta(milliseconds=10))

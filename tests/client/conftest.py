"""Fixtures of these stories."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorflow.core import limits


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that fails is tried again after milliseconds, so it is parked within a fraction of a second."""
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MIN", timedelta(milliseconds=2))
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MAX", timedelta(milliseconds=30))


@pytest.fixture
def parks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that fails once is parked, and nobody tries it again while the test runs."""
    monkeypatch.setattr(limits, "TURN_FAILURES_BEFORE_PARKING", 1)
    monkeypatch.setattr(limits, "TURN_RETRY_DELAY_MIN", timedelta(minutes=10))

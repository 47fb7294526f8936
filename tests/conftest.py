"""Options and fixtures of the whole suite: which event loop the asynchronous tests run on."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--uvloop", action="store_true", help="run asynchronous tests on uvloop instead of asyncio's own loop"
    )


@pytest.fixture(scope="session")
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": bool(request.config.getoption("--uvloop"))}

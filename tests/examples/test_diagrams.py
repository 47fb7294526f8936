"""The pictures in the examples are what their journals look like."""

from __future__ import annotations

import pytest

from actorflow import diagram
from tests.examples.drawn import STORIES, page, recorded


@pytest.mark.parametrize("name", STORIES)
def test_the_page_of_an_example_shows_its_recorded_journal(name: str) -> None:
    assert page(name).read_text(encoding="utf-8") == diagram.markdown(recorded(name).history)


@pytest.mark.parametrize("name", STORIES)
async def test_another_run_takes_the_same_way(name: str) -> None:
    async with STORIES[name](0.0) as history:
        assert diagram.flowchart(history) == diagram.flowchart(recorded(name).history)

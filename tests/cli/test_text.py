"""Texts, tables and JSON as they reach a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum

import pytest

from actorflow.cli.jsontext import JsonArray, as_json
from actorflow.cli.table import Column, Table, fitting
from actorflow.cli.text import duration, instant, lines_of, relative, short_instant, size, visible, width_of

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, grün, 日本語 🚚", "plain, grün, 日本語 🚚"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("two\u2028lines", "two\\u2028lines"),
        ("\udc9b", "\\udc9b"),
        ("tab\tline\n", "tab\\tline\\n"),
        ("no\u00a0break", "no\u00a0break"),
        ("\U000e0041tag", "\\U000e0041tag"),
    ],
)
def test_what_steers_a_terminal_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_can_be_kept() -> None:
    assert visible("a\n\tb\x1b", keeps_lines=True) == "a\n\tb\\x1b"


def test_width_is_in_columns() -> None:
    assert [width_of(text) for text in ("abc", "日本", "e\u0301")] == [3, 4, 1]


def test_a_text_is_folded_into_columns_and_cut_after_so_many_lines() -> None:
    assert lines_of("abcdef", 4, at_most=2) == ["abcd", "ef"]
    assert lines_of("abcdefghij", 4, at_most=2) == ["abcd", "efg…"]
    assert lines_of("日本語", 4, at_most=1) == ["日…"]
    assert lines_of("", 4, at_most=1) == [""]


def test_columns_give_way_the_widest_first() -> None:
    assert fitting([10, 20, 8], room=80) == [10, 20, 8]
    assert fitting([10, 300, 8], room=60) == [10, 42, 8]
    assert fitting([500, 300, 8], room=60) == [26, 26, 8]
    assert fitting([500, 300, 4], room=10) == [8, 8, 4]


def test_a_table_settles_its_columns_by_the_first_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    lines: list[str] = []
    table = Table((Column("id"), Column("wide", from_width=80), Column("what")), lines.append, has_colour=False)
    assert [column.key for column in table.columns] == ["id", "what"]
    for _ in range(500):
        table.add(("a" * 40, "Running"))
    table.add(("b", "x" * 10))
    assert lines[:3] == ["id                     what", f"{'a' * 21}  Running", "a" * 19]
    assert lines[-2:] == ["b                      xxxxxxx", "                       xxx"]


def test_statuses_are_coloured_where_colours_are_wanted() -> None:
    lines: list[str] = []
    table = Table((Column("status"),), lines.append, has_colour=True)
    table.add(("Failed",))
    table.flush()
    assert lines == ["\x1b[2mstatus\x1b[0m", "\x1b[31mFailed\x1b[0m"]


def test_json_says_everything_in_ascii() -> None:
    class Colour(Enum):
        RED = 1

    value = {"at": NOON, "for": timedelta(seconds=1.5), "as": Colour.RED, "of": b"\x00", "text": "\u202e\x1b", "x": {1}}
    assert as_json(value) == (
        '{"at": "2030-06-01T12:00:00.000Z", "for": 1.5, "as": "RED", "of": {"data": "AA==", "metadata": {"encoding": '
        '"binary/plain"}}, "text": "\\u202e\\u001b", "x": "{1}"}'
    )


@pytest.mark.parametrize("items", [[], [1], [{"a": [1, 2]}, "b", None]])
def test_an_array_is_written_as_its_items_come(items: list[object]) -> None:
    lines: list[str] = []
    array = JsonArray(lines.append)
    for item in items:
        array.add(item)
    array.close()
    assert "\n".join(lines) == as_json(items, indent=2)


def test_instants_and_durations_are_told_shortly() -> None:
    assert instant(NOON) == "2030-06-01T12:00:00.000Z"
    assert short_instant(NOON) == "2030-06-01 12:00:00"
    assert relative(NOON, NOON + timedelta(minutes=90)) == "1 h 30 min ago"
    assert relative(NOON, NOON - timedelta(days=2)) == "in 2 d"
    assert duration(timedelta(seconds=0.25)) == "0.2 s"


def test_sizes_are_told_in_their_unit() -> None:
    assert [size(count) for count in (0, 1023, 1536, 5 * 2**20, 3 * 2**40)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 MiB",
        "3072.0 GiB",
    ]

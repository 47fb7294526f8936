"""The benchmarks run, on real files and tiny sizes; what they measure is nobody's business here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.report import Figure, Table, at_least, at_most

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = (
    "ceilings",
    "w1",
    "data",
    "w2",
    "w3",
    "w4",
    "w5",
    "w6",
    "w7",
    "replay",
    "messages",
    "listing",
    "metrics",
    "schedules",
    "testing",
    "import",
)


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_every_question_is_answered_on_real_files_and_nothing_is_left_behind(tmp_path: Path) -> None:
    disk, file = tmp_path / "a disk", tmp_path / "figures.json"
    disk.mkdir()

    done = bench("--quick", "--dir", disk, "--json", file)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert [table["name"] for table in figures["tables"]] == list(QUESTIONS)
    assert [name for name in QUESTIONS if f"### {name.upper()}: " not in done.stdout] == []
    assert "synchronous=full, journal_mode=wal" in done.stdout
    assert list(disk.iterdir()) == []


def test_a_journal_in_memory_is_said_not_to_be_durable() -> None:
    done = bench("w5", "w7", "--quick", "--store", "memory")

    assert done.returncode == 0, done.stderr
    assert "nothing is durable" in done.stdout
    assert "dies with its process" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["w8"], "no question is called 'w8'"), (["--scale", "0"], "not a positive number"), (["--dir", "x"], "no")],
)
def test_a_mistake_on_the_command_line_is_named(arguments: list[str], complaint: str) -> None:
    done = bench(*arguments)

    assert done.returncode == 2
    assert complaint in done.stderr


def test_a_table_says_by_how_much_a_target_was_missed() -> None:
    figures = [
        Figure("rate", [5_000.0, 6_000.0, 9_000.0], [300_000.0], target=at_least(8_000)),
        Figure("delay, ms", [0.5], target=at_most(1)),
    ]

    assert Table("w0", "a question", figures).text(is_judged=True).splitlines() == [
        "### W0: a question",
        "",
        "| figure    | actorflow |         range | plain asyncio |  target | verdict       |",
        "|-----------|----------:|--------------:|--------------:|--------:|---------------|",
        "| rate      |     6,000 | 5,000 … 9,000 |       300,000 | ≥ 8,000 | missed by 25% |",
        "| delay, ms |       0.5 |             – |             – |     ≤ 1 | met           |",
        "",
    ]

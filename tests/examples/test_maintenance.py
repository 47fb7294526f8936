"""The program that does maintenance: what it says, what it does, and that it goes on where it was."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.crashes import invariants
from tests.crashes.processes import running


def say(folder: Path, *options: object) -> tuple[int, str, str]:
    """Run the program on files in this folder; exit code and what it said."""
    files = ("--db", folder / "m.db", "--folder", folder / "application")
    with running("-m", "examples.maintenance", *files, *options) as process:
        said, complaints = process.communicate()
    return process.returncode, said, complaints


def test_a_night_cleans_up_archives_and_counts_and_knows_of_the_one_before(tmp_path: Path) -> None:
    code, said, complaints = say(tmp_path)
    assert (code, complaints) == (0, "")
    assert "made schedule daily-maintenance\nactions taken: 0; next: " in said
    assert said.count(" 02:00:00+00:00") == 3
    assert re.search(r"started maintenance-\S+Z\nnight 1: 5 files cleaned, 2 records archived, analytics updated", said)
    application = tmp_path / "application"
    assert list((application / "tmp").iterdir()) == []
    assert len((application / "archive.jsonl").read_text().splitlines()) == 2
    assert sum(json.loads((application / "analytics.json").read_text()).values()) == 3
    code, said, complaints = say(tmp_path)
    assert (code, complaints) == (0, "")
    assert "actions taken: 1" in said
    assert "night 2: 5 files cleaned, 2 records archived" in said
    assert len(set((application / "archive.jsonl").read_text().splitlines())) == 4
    assert {run.status for run in invariants.check(tmp_path / "m.db")} == {"completed"}


def test_a_schedule_that_makes_no_sense_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for option, value, says in (
        ("--cron", "0 0 30 2 *", "cron_expressions[0]"),
        ("--time-zone", "Mars", "time_zone_name"),
    ):
        code, said, complaints = say(tmp_path, option, value)
        assert (code, said) == (1, "")
        assert complaints.count("\n") == 1
        assert says in complaints

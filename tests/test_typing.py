"""Types from the user's side: the programs under `typing/` pass pyright's strict mode but for the lines that say not.

A statement that must not pass ends one of its lines with ``# expect: `` and the rule it breaks.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PROGRAMS = Path(__file__).parent / "typing"
MARK = re.compile(r"# expect: (?P<rule>\w+)$")

Problem = tuple[str, int, str]
"""A file, the first line of a statement in it, and the rule it breaks."""


def expected() -> Iterator[Problem]:
    """What the comments say."""
    for program in sorted(PROGRAMS.glob("*.py")):
        for number, line in enumerate(program.read_text(encoding="utf-8").splitlines(), 1):
            said = MARK.search(line)
            assert said or "expect:" not in line, f"{program.name}:{number}: {line}"
            if said:
                yield program.name, statements(program).get(number, number), said["rule"]


def found() -> Iterator[Problem]:
    """What pyright says."""
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--project", PROGRAMS, "--pythonpath", sys.executable],
        capture_output=True,
        text=True,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},  # it shall not ask for a newer version of itself
    )
    report = json.loads(checked.stdout)
    assert report["summary"]["filesAnalyzed"] == len(list(PROGRAMS.glob("*.py"))), checked.stderr
    for problem in report["generalDiagnostics"]:
        program, number = Path(problem["file"]), int(problem["range"]["start"]["line"]) + 1
        yield program.name, statements(program).get(number, number), problem.get("rule", problem["message"])


@cache
def statements(program: Path) -> dict[int, int]:
    """Where the statement begins that a line is part of, for statements without others in them."""
    tree = ast.parse(program.read_text(encoding="utf-8"))
    spans = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
    ]
    return {line: first for first, last in spans for line in range(first, last + 1)}


def in_short(problems: Iterable[Problem]) -> set[Problem]:
    """Where no overload of a call fits, pyright also names the argument that keeps the nearest from fitting; where a
    decorator's arguments are wrong, also that the result is not known.
    """
    everything = set(problems)
    called = {(file, line) for file, line, rule in everything if rule == "reportCallIssue"}
    return {
        (file, line, rule) for file, line, rule in everything if rule == "reportCallIssue" or (file, line) not in called
    }


def test_programs_are_refused_where_they_are_wrong_and_nowhere_else() -> None:
    wanted, got = set(expected()), in_short(found())
    assert len(wanted) > 100
    assert sorted(got - wanted) == [], "pyright refuses these lines"
    assert sorted(wanted - got) == [], "pyright accepts these lines, or refuses them by another rule"

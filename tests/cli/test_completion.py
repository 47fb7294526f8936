"""What a shell gets when it completes; bash for real, the others by the protocol."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import Run, command, environment


def completed(run: Run, monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    """What bash is offered for a line."""
    monkeypatch.setenv("_ACTORFLOW_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", line)
    code, out, err = run()
    assert (code, err) == (0, "")
    return [answer.partition(",")[2] for answer in out.splitlines() if answer.startswith("plain,")]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("actorflow ", ["workflow", "db", "demo", "completion", "version"]),
        ("actorflow wo", ["workflow"]),
        ("actorflow workflow s", ["show", "stack", "signal"]),
        ("actorflow workflow show --r", ["--reverse", "--run-id"]),
        ("actorflow -o ", ["text", "table", "plain", "json", "jsonl"]),
        ("actorflow workflow show --diagram=", ["flowchart", "gantt"]),
        ("actorflow completion ", ["bash", "zsh", "fish"]),
        ("actorflow workflow describe order-1", ["order-1", "order-10"]),
        ("actorflow workflow signal --workflow-id colon:", ["colon:1", "colon:12"]),
        ("actorflow workflow show 日", ["日本語"]),
        ("actorflow workflow show nobody", []),
    ],
)
def test_commands_options_and_ids_are_completed(
    look: Run, monkeypatch: pytest.MonkeyPatch, line: str, offered: list[str]
) -> None:
    assert completed(look, monkeypatch, line) == offered


def test_the_journal_may_be_named_on_the_line(run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (f"actorflow --db {filled} workflow show fai", f"actorflow workflow show --db {filled} fai"):
        assert completed(run, monkeypatch, line) == ["failed"]


def test_ids_that_would_upset_a_terminal_are_not_offered(look: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    offered = completed(look, monkeypatch, "actorflow workflow show ")
    assert "done" in offered
    assert all(id_.isprintable() for id_ in offered)


@pytest.mark.parametrize("journal", ["", "/nowhere/orders.db", "/dev/null", "/"])
def test_without_a_journal_nothing_is_offered_and_nothing_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    assert completed(run, monkeypatch, f"actorflow workflow show --db '{journal}' x") == []


def test_a_word_of_bash_is_completed_from_its_last_colon_and_quoted(filled: Path, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    script = tmp_path / "actorflow"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m actorflow.cli "$@"\n')
    script.chmod(0o755)
    asked = """
        eval "$(actorflow completion bash)"
        ask() { COMP_LINE=$1 COMP_POINT=${#1}; _actorflow_completion actorflow "$2" x; echo "${COMPREPLY[*]}"; }
        ask "actorflow workflow show colon:" ""
        ask "actorflow workflow show colon:1" "1"
        ask "actorflow workflow show wi" "wi"
        ask "actorflow workflow show it" "it"
    """
    done = subprocess.run(
        [bash, "-c", asked],
        capture_output=True,
        text=True,
        env=environment(ACTORFLOW_DB=str(filled), PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}"),
        check=True,
    )
    assert done.stdout.splitlines() == ["1 12", "1 12", "with\\ space", "it\\'s"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(run: Run, shell: str) -> None:
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    assert "_ACTORFLOW_COMPLETE" in out


def test_a_shell_nobody_knows_is_refused(run: Run) -> None:
    assert run("completion", "cmd.exe").code == 2
    done = subprocess.run(
        command(), capture_output=True, env=environment(_ACTORFLOW_COMPLETE="cmd_complete"), check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")

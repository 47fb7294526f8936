"""The program itself: its help, its groups, and how little it loads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from actorflow.cli.exits import Exit, ended
from actorflow.cli.lazy import LazyGroup
from actorflow.cli.root import root
from tests.cli.commands import Run, environment

LIGHT = """
import sys
from actorflow.cli import main
assert main({arguments!r}) == 0
loaded = {{"aiosqlite", "rich", "actorflow.engine", "actorflow.client", "asyncio.events"}} & set(sys.modules)
print(sorted(loaded - {{"asyncio.events"}}), file=sys.stderr)
"""


def commands(group: LazyGroup, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command, str]]:
    """All commands below a group: how they are called, what they are, and what the group says they do."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*above, name), found, group._lazy[name].does
        if isinstance(found, LazyGroup):
            yield from commands(found, *above, name)


def test_the_commands_are_those_that_are_promised() -> None:
    leaves = {" ".join(name) for name, found, _ in commands(root) if not isinstance(found, click.Group)}
    shown = "list count show describe result stack signal cancel terminate"
    assert leaves == {
        *(f"workflow {name}" for name in shown.split()),
        *("db verify", "db stats", "db backup", "demo", "version", "completion"),
    }


def test_a_group_says_of_each_command_what_the_command_says_of_itself() -> None:
    for name, found, does in commands(root):
        assert (found.help or "").partition("\n")[0] == does, name


def test_every_help_fits_eighty_columns(run: Run) -> None:
    for name, _, _ in commands(root):
        for asked in ("--help", "-h"):
            code, out, err = run(*name, asked)
            assert (code, err) == (Exit.DONE, "")
            assert out.startswith(f"Usage: actorflow {' '.join(name)}")
            assert all(len(line) <= 90 for line in out.splitlines()), name


def test_help_says_where_updates_and_queries_are(run: Run) -> None:
    assert "There is no update and no query here" in run("workflow", "--help").out


@pytest.mark.parametrize("group", [(), ("workflow",), ("db",)])
def test_a_group_alone_shows_its_help(run: Run, group: tuple[str, ...]) -> None:
    assert run(*group) == run(*group, "--help")


@pytest.mark.parametrize("arguments", [["--help"], ["workflow", "--help"], ["db"], ["--version"], ["version"]])
def test_help_and_version_load_neither_the_engine_nor_rich(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT.format(arguments=arguments)],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    loaded = done.stderr.strip()
    assert loaded == ("['aiosqlite']" if arguments == ["version"] else "[]")


def test_a_mistyped_command_is_answered_with_the_nearest(run: Run) -> None:
    assert run("workflow", "lsit") == (
        Exit.USAGE,
        "",
        "Error: no such command: 'lsit'; did you mean list?\nTry `actorflow workflow --help`.\n",
    )
    assert "there are verify, stats, backup" in run("db", "zzz").err


def test_a_mistyped_option_is_refused_in_one_sentence(run: Run) -> None:
    code, out, err = run("workflow", "list", "--qery\x1b[2J", "x")
    assert (code, out) == (Exit.USAGE, "")
    assert "\x1b" not in err
    assert err.splitlines()[-1] == "Try `actorflow workflow list --help`."


def test_a_mistake_of_ours_is_a_sentence_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = KeyError("surprise")
    try:
        raise mistake
    except KeyError:
        assert ended(mistake) is Exit.FAILED
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "KeyError: 'surprise' (test_root.py:" in said
    monkeypatch.setenv("ACTORFLOW_TRACEBACK", "1")
    with pytest.raises(KeyError):
        ended(mistake)


def test_version_tells_what_it_stands_on(run: Run) -> None:
    code, out, _ = run("version")
    assert code == Exit.DONE
    assert [line.split("\t")[0] for line in out.splitlines()] == ["actorflow", "python", "sqlite", "platform"]

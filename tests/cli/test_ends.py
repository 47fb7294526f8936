"""How commands end when whoever reads or types has something else in mind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from actorflow.cli.exits import Exit
from tests.cli.commands import command, environment, in_a_process


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, with `actorflow` in it; pipes end with the code of their first command."""
    called = shlex.join(command())
    script = f'actorflow() {{ {called} "$@"; }}\n{line}\nexit ${{PIPESTATUS[0]}}'
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment(), check=False)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_closed_pipe_ends_a_command_without_a_word(filled: Path, form: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as pipe:
        done = subprocess.run(
            command("workflow", "list", "--db", filled, "-o", form),
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            check=False,
        )
    assert (done.returncode, done.stderr) == (Exit.BROKEN_PIPE, "")


def test_a_full_disk_behind_the_output_is_a_sentence(filled: Path) -> None:
    done = shell(f"actorflow workflow list --db {filled} > /dev/full")
    assert done.returncode == Exit.FAILED
    assert done.stderr.startswith("Error: ")
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1


def test_closed_streams_do_not_matter(filled: Path) -> None:
    assert shell(f"actorflow workflow list --db {filled} >&-").returncode == Exit.DONE
    assert shell("actorflow nonsense 2> /dev/full").returncode == Exit.USAGE


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_cannot_say_is_escaped(filled: Path, encoding: str) -> None:
    code, out, err = in_a_process("workflow", "list", "--db", filled, PYTHONIOENCODING=encoding)
    assert (code, err) == (Exit.DONE, "")
    assert "\t\\u65e5\\u672c\\u8a9e\t" in out


def test_ctrl_c_ends_a_command_with_its_own_code(filled: Path) -> None:
    following = ("workflow", "show", "order-1", "--follow", "--db", filled)
    with subprocess.Popen(
        command(*following), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        while "Started" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == Exit.INTERRUPTED
    assert err.splitlines() == [f"No process has {filled} open; waiting for one, Ctrl-C ends it.", "Interrupted."]

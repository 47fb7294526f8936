"""The demo: the same course for the same seed, everywhere, and nothing of it left when it is interrupted."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from actorflow.cli.demo.evidence import Evidence, Verdict, collect, judge
from actorflow.cli.demo.scene import Scene
from actorflow.cli.demo.stage import PlainStage
from actorflow.cli.demo.story import as_typed, play, tell_outcome
from actorflow.cli.exits import CommandError, Exit
from actorflow.store.sqlite.verify import verify
from tests.cli.commands import Run, Terminal, command, environment, in_a_process
from tests.crashes.processes import ROOT

FAST = ("--delay", "0.02")


def wait_for_the_worker_to_be_gone(folder: Path) -> None:
    """It holds the journal's lock for as long as it lives."""
    with (folder / "orders.db.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A demo in plain text, played in full by an installed package: its folder, and what it told."""
    folder, site, elsewhere = (tmp_path_factory.mktemp(name) for name in ("de%20mo", "site", "elsewhere"))
    install(site)
    (elsewhere / "examples").mkdir()
    (elsewhere / "examples" / "__init__.py").write_text("raise ImportError('examples of somebody else')")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "actorflow.cli", "demo", *FAST, "--keep", str(folder)],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=os.pathsep.join((str(site), str(elsewhere)))),
        check=False,
    )
    assert (done.returncode, done.stderr) == (Exit.DONE, "")
    return folder, done.stdout


def install(site: Path) -> None:
    """Put into a folder what a wheel would."""
    shutil.copytree(ROOT / "actorflow", site / "actorflow", ignore=shutil.ignore_patterns("__pycache__"))
    wheel: Any = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, target in wheel["force-include"].items():
        shutil.copytree(ROOT / source, site / target)


def types_of(folder: Path) -> Mapping[str, str]:
    """Which activities the order of a demo went through."""
    return asyncio.run(collect(folder / "orders.db", "demo-order")).types


def test_an_order_survives_the_death_of_its_worker(played: tuple[Path, str]) -> None:
    _, told = played
    before, after = re.split(r"!! kill -9 \d+: that worker is dead\n", told)
    assert "quality_check_package is cut off in the middle" in before
    assert "The journal, read now: 24 events, 9 activities completed, quality_check_package interrupted." in after
    assert "quality_check_package (activity 10, attempt 2)" in after
    for fact in (
        "order                      delivered",
        "of these run again         none",
        "quality_check_package, done by attempt 2 after the kill",
        "checksums and invariants   verified",
    ):
        assert fact in after


def test_the_seed_it_has_by_itself_shows_every_loop_going_round_and_a_retry(played: tuple[Path, str]) -> None:
    _, told = played
    for loop in ("validation", "fulfilment", "packaging", "delivery"):
        assert f"{loop}: round 2 of 3" in told
    assert "assign_carrier failed: the carrier's line is dead; it is tried again" in told


def test_what_it_leaves_in_the_folder_that_was_named_can_be_read_as_it_says(played: tuple[Path, str]) -> None:
    folder, told = played
    assert verify(folder / "orders.db").is_sound
    assert f'sqlite3 {folder}/orders.db "SELECT number, event, data FROM af_event WHERE' in told
    line = next(line.split() for line in told.splitlines() if "workflow show" in line)
    shown = in_a_process(*line[1:])
    assert shown.code == Exit.DONE
    assert len(shown.out.splitlines()) == 55
    assert (folder / "history.md").read_text().count("```mermaid") == 2


def test_what_to_type_next_is_found_by_the_shell_also_if_the_environment_is_not_active(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "some where" / "actorflow"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert as_typed() == "'some where/actorflow'"
    monkeypatch.chdir("/")
    assert Path(shlex.split(as_typed())[0]) == script.relative_to("/")
    monkeypatch.chdir(ROOT)
    assert as_typed() == f"'{script}'"
    monkeypatch.setenv("PATH", str(script.parent))
    assert as_typed() == "actorflow"


def test_a_terminal_sees_the_same_course_for_the_same_seed_live_and_nothing_is_cut_off(
    played: tuple[Path, str], tmp_path: Path
) -> None:
    terminal = Terminal("demo", *FAST, "--keep", tmp_path, "--seed", "30")
    code, out, _ = terminal.end()
    assert code == Exit.DONE
    assert "━ kill -9" in out
    assert "rounds: validation" in out
    assert "of these run again         none" in out
    assert f'  sqlite3 {tmp_path}/orders.db "SELECT number, event, data FROM af_event WHERE workflow_id' in out
    assert len(terminal.raw) < 100_000
    assert types_of(tmp_path) == types_of(played[0])


@pytest.mark.parametrize(("moment", "kind"), [("verify_customer", "xterm"), ("!! kill -9", "dumb")])
def test_ctrl_c_stops_the_worker_too_and_a_terminal_that_can_do_nothing_gets_plain_lines(
    tmp_path: Path, moment: str, kind: str
) -> None:
    terminal = Terminal("demo", *FAST, "--keep", tmp_path, variables={"TERM": kind})
    terminal.until(moment)
    terminal.process.send_signal(signal.SIGINT)
    code, out, _ = terminal.end()
    assert code == Exit.INTERRUPTED
    assert ("\x1b" in terminal.raw) == (kind == "xterm")
    assert out.splitlines()[-1].startswith("Interrupted. The worker was stopped; the order waits in ")
    wait_for_the_worker_to_be_gone(tmp_path)


def test_a_worker_does_not_outlive_a_demo_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        command("demo", "--keep", tmp_path, "--delay", "5"), stdout=subprocess.PIPE, text=True, env=environment()
    ) as demo:
        assert demo.stdout is not None
        while "verify_customer" not in demo.stdout.readline():
            pass
        demo.kill()
    wait_for_the_worker_to_be_gone(tmp_path)


def test_a_closed_pipe_stops_it(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as pipe:
        done = subprocess.run(
            command("demo", *FAST, "--keep", tmp_path),
            stdout=pipe,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    assert (done.returncode, done.stderr) == (Exit.BROKEN_PIPE, b"")
    with suppress(FileNotFoundError):  # it may have gone before it had a journal
        wait_for_the_worker_to_be_gone(tmp_path)


def test_a_worker_that_fails_ends_it_with_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "orders.db").write_text("no journal")
    with pytest.raises(CommandError, match=r"ended with code 1: .*orders.db is not a SQLite database") as failed:
        play(PlainStage(), tmp_path, seed=1, delay=0.02)
    assert failed.value.code == Exit.FAILED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--keep", "/dev/null"], "/dev/null can't be made"),
        (["--keep", "/dev/null/below"], "/dev/null/below can't be made"),
        (["--keep", str(ROOT)], "is not empty; name a folder that is, or a new one"),
        (["--seed", "many"], "'many' is not a valid integer"),
        (["--delay", "0"], "is not in the range"),
        (["--delay", "nan"], "--delay"),
    ],
)
def test_what_it_can_not_do_is_wrong_use(run: Run, arguments: Sequence[str], said: str) -> None:
    code, out, err = run("demo", *arguments)
    assert (code, out) == (Exit.USAGE, "")
    assert said in err


@pytest.fixture(scope="module")
def after(played: tuple[Path, str]) -> Evidence:
    """The journal at the end."""
    return asyncio.run(collect(played[0] / "orders.db", "demo-order"))


@pytest.fixture(scope="module")
def before(after: Evidence) -> Evidence:
    """The journal at the kill, as the second activity was under way."""
    history = dataclasses.replace(after.history, turns=after.history.turns[:2])
    return Evidence(history, {name: after.types[name] for name in "12"}, after.outcomes[:1])


def a_scene(*reports: Mapping[str, Any]) -> Scene:
    """A worker was killed, and another one reported this and a receipt."""
    scene = Scene()
    scene.kill()
    for report in (*reports, {"kind": "result", "receipt": {"status": "delivered"}}):
        scene.see(report)
    return scene


def test_nothing_is_wrong_where_all_went_as_promised(
    played: tuple[Path, str], before: Evidence, after: Evidence
) -> None:
    assert judge(played[0] / "orders.db", before, after, a_scene()) == Verdict([], is_sound=True)


def test_every_fault_would_be_found(played: tuple[Path, str], before: Evidence, after: Evidence) -> None:
    again = a_scene({"kind": "begin", "activity_type": "pick_items", "activity_id": "1", "attempt": 1})
    outcomes = after.outcomes
    elsewhere = dataclasses.replace(after.history, turns=after.history.turns[1:])
    faults = [
        (before, after, again, "activity 1 was completed before the kill and ran again"),
        (before, after, Scene(), "the order never came to a receipt"),
        (after, after, a_scene(), "the kill interrupted nothing"),
        (before, Evidence(elsewhere, after.types, outcomes), a_scene(), "what was in the journal before the kill is"),
        (before, Evidence(after.history, after.types, outcomes[1:]), a_scene(), "activity 1 has no outcome"),
        (
            before,
            Evidence(after.history, after.types, [*outcomes, outcomes[0]]),
            a_scene(),
            "activity 1 has 2 outcomes",
        ),
        (
            before,
            Evidence(before.history, {}, ()),
            a_scene(),
            "the journal does not end with Completed, but with",
        ),
    ]
    for then, now, scene, fault in faults:
        verdict = judge(played[0] / "orders.db", then, now, scene)
        assert len(verdict.faults) == 1
        assert verdict.faults[0].startswith(fault)
        assert verdict.is_sound


def test_checksums_and_invariants_are_called_broken_only_if_they_are(
    before: Evidence, after: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    for is_sound, said in ((True, "invariants   verified\n"), (False, "invariants   broken, see below\n")):
        tell_outcome(PlainStage(), a_scene(), before, after, Verdict(["a fault"], is_sound))
        assert said in capsys.readouterr().out

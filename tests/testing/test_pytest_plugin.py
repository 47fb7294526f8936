"""The fixtures for pytest, in programs of their own, beside the plugins that run asynchronous tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

STORY = """
from datetime import timedelta
import pytest
from actorflow import activity, workflow

@activity.defn
def remind(who):
    return f"reminded {who}"

@workflow.defn
class Reminds:
    @workflow.run
    async def run(self, who):
        await workflow.sleep(timedelta(days=90))
        return await workflow.execute_activity(remind, who, start_to_close_timeout=timedelta(seconds=30))
"""

REMINDS = """
@pytest.mark.{runner}
async def test_reminds(actorflow_env, actorflow_worker):
    async with actorflow_worker(workflows=[Reminds], activities=[remind]):
        assert await actorflow_env.client.execute_workflow(Reminds.run, "you", id="r") == "reminded you"
"""

RECORDED = """
@pytest.mark.anyio
async def test_reminds(actorflow_env, actorflow_worker, actorflow_history):
    async with actorflow_worker(workflows=[Reminds], activities=[remind]):
        reminds = await actorflow_env.client.start_workflow(Reminds.run, "you", id="r")
        await reminds.result()
        await actorflow_history.check(reminds, workflows=[Reminds])
"""

JOURNALED = """
@pytest.mark.anyio
@pytest.mark.parametrize("is_right", [True, False])
async def test_reminds(actorflow_env, actorflow_worker, actorflow_journal, is_right):
    with open("journal", "a") as paths:
        print(actorflow_journal, file=paths)
    async with actorflow_worker(workflows=[Reminds], activities=[remind]):
        await actorflow_env.client.execute_workflow(Reminds.run, "you", id="r")
    assert is_right
"""

ON_ASYNCIO = "import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
STRICT = ("-W", "error", "-o", "asyncio_default_fixture_loop_scope=function")
HISTORY = Path("histories", "test_story", "test_reminds.json")


@pytest.fixture
def program(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with tests of its own, run by a pytest of its own, whose temporary files are in it."""
    pytester.makeconftest(ON_ASYNCIO)
    (temporary := pytester.path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    return pytester


def write(program: pytest.Pytester, test: str, *, waits: str = "await workflow.sleep(timedelta(days=90))") -> None:
    program.makepyfile(test_story=STORY.replace("await workflow.sleep(timedelta(days=90))", waits) + test)


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("anyio", ("-p", "no:asyncio", "-W", "error")),
        ("asyncio", (*STRICT, "-o", "asyncio_mode=auto")),
    ],
)
def test_ninety_days_pass_under_each_plugin_that_runs_tests(
    program: pytest.Pytester, runner: str, options: tuple[str, ...]
) -> None:
    write(program, REMINDS.format(runner=runner))
    program.runpytest_subprocess(*options).assert_outcomes(passed=1)


def test_the_test_in_the_readme_passes(program: pytest.Pytester) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    program.makepyfile(test_readme=next(block for block in blocks if "actorflow_env" in block))
    program.runpytest_subprocess("-p", "no:asyncio", "-W", "error").assert_outcomes(passed=1)


def test_both_plugins_run_their_tests_in_one_program_also_where_pytest_asyncio_is_strict(
    program: pytest.Pytester,
) -> None:
    program.makepyfile(
        test_one=STORY + REMINDS.format(runner="anyio"), test_two=STORY + REMINDS.format(runner="asyncio")
    )
    program.runpytest_subprocess(*STRICT).assert_outcomes(passed=2)


def test_a_test_nobody_runs_on_an_event_loop_is_told_what_it_needs(program: pytest.Pytester) -> None:
    write(program, "def test_one(actorflow_env): ...\ndef test_two(actorflow_env): ...\n")
    result = program.runpytest_subprocess("-p", "no:asyncio")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["test_two uses actorflow_env, which lives on an event loop*mark it with*"])


def test_a_history_is_recorded_once_and_replayed_from_then_on(program: pytest.Pytester) -> None:
    write(program, RECORDED)
    result = program.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*histories were recorded; commit them*", f"*{HISTORY}"])
    recorded = (program.path / HISTORY).read_bytes()

    again = program.runpytest_subprocess()
    again.assert_outcomes(passed=1)
    again.stdout.no_fnmatch_line("*histories were recorded*")
    assert (program.path / HISTORY).read_bytes() == recorded


def test_code_that_no_longer_fits_its_recorded_history_fails_until_it_is_recorded_anew(
    program: pytest.Pytester,
) -> None:
    write(program, RECORDED)
    program.runpytest_subprocess().assert_outcomes(passed=1)
    write(program, RECORDED, waits="pass")
    result = program.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*NondeterminismError*"])

    program.runpytest_subprocess("--actorflow-record").assert_outcomes(passed=1)
    program.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_journal_of_a_failed_test_is_kept_and_its_path_told(program: pytest.Pytester) -> None:
    write(program, JOURNALED)
    result = program.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    of_passed, of_failed = map(Path, (program.path / "journal").read_text().split())

    assert [path.exists() for path in (of_passed, of_passed.parent, of_failed)] == [False, False, True]
    result.stdout.fnmatch_lines([f"kept: {of_failed}", f"look: actorflow workflow list --db {of_failed}"])
    command = [sys.executable, "-m", "actorflow.cli", "workflow", "list", "--db", str(of_failed), "-o", "jsonl"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert '"r"' in listed
    assert "Reminds" in listed


def test_a_program_that_tests_no_workflow_does_not_pay_for_the_plugin(program: pytest.Pytester) -> None:
    program.makepyfile(
        "import sys\n"
        "def test_light():\n"
        "    assert 'actorflow.testing.pytest_plugin' in sys.modules\n"
        "    heavy = ('actorflow.engine', 'actorflow.client', 'aiosqlite', 'prometheus_client')\n"
        "    assert [name for name in heavy if name in sys.modules] == []\n"
    )
    program.runpytest_subprocess("-p", "no:anyio", "-p", "no:asyncio").assert_outcomes(passed=1)

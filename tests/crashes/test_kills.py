"""A real process is killed at random and at chosen moments, and started again until it has finished its story."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from actorflow.core import events as ev
from tests.crashes import invariants
from tests.crashes.ledger import Line, acknowledged, check_attempts, read_ledger
from tests.crashes.processes import HANGS, running
from tests.crashes.story import TYPES, WORKFLOWS, parts
from tests.support import a_client, a_worker

ROUNDS = int(os.environ.get("ACTORFLOW_CRASH_ROUNDS", "4"))
COPIES = 2
LIVES_MAX = 40
WAITING_TYPES = ("Collector", "Stubborn")


class Story:
    """A database, its ledger, and the lives that work on them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "story.db"
        self.ledger = folder / "ledger"

    def live(self, moment: str = "never", *, kill_after_lines: int | None = None) -> bool:
        """One life, killed by itself at a moment, or by us once it has written so many lines; True if it finished."""
        with running("-m", "tests.crashes.child", self.path, self.ledger, COPIES, moment) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            for number, _ in enumerate(process.stdout, 1):
                if number == kill_after_lines:
                    process.kill()
            complaints = process.stderr.read()
        assert process.returncode in (0, -9), complaints
        assert "Traceback" not in complaints, complaints
        return process.returncode == 0

    def finish(self) -> None:
        """The last life."""
        assert self.live()

    @property
    def lines(self) -> list[Line]:
        """What the outside world remembers."""
        return read_ledger(self.ledger)

    @property
    def results(self) -> dict[str, list[str]]:
        """What the last life was told, by workflow id."""
        return {line["workflow"]: line["result"] for line in self.lines if line["what"] == "result"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Story:
    story = Story(tmp_path_factory.mktemp("undisturbed"))
    story.finish()
    return story


async def check(story: Story, undisturbed: Story) -> None:
    """Everything that must hold once the story has been told to its end."""
    runs = invariants.check(story.path)
    lines = story.lines
    check_attempts(lines)
    check_acknowledged(runs, acknowledged(lines))
    check_results(runs, story.results, undisturbed.results, lines)
    await check_replays(story)


def check_midway(story: Story) -> None:
    """What must hold of the file a killed process leaves: everything acknowledged is there."""
    if story.path.exists() and story.path.stat().st_size:
        runs = invariants.check(story.path, may_wait=lambda run: run.workflow_type in WAITING_TYPES)
        check_acknowledged(runs, acknowledged(story.lines))
    check_attempts(story.lines)


def check_acknowledged(runs: Sequence[invariants.Run], calls: set[str]) -> None:
    by_id = {run.workflow_id: run for run in runs}
    assert len(by_id) == len(runs), "a workflow was started twice"
    for part in parts(COPIES):
        made = {call.removeprefix(f"{part.workflow_id} ") for call in calls if call.startswith(f"{part.workflow_id} ")}
        run = by_id.get(part.workflow_id)
        if run is None:
            assert not made, f"{part.workflow_id} is gone"
            continue
        messages = [*run.events, *run.inbox]
        taken = Counter(event.request_id for event in run.all_of(ev.SignalReceived))
        assert set(taken.values()) <= {1}, f"signals delivered more than once to {part.workflow_id}: {taken}"
        # A call that was repeated, its outcome being unknown, may wait in the inbox a second time.
        there = {message.request_id.split(" ")[0] for message in messages if isinstance(message, ev.SignalReceived)}
        assert there >= made & set(part.signals), f"signals of {part.workflow_id} are gone"
        if "cancel" in made:
            assert any(isinstance(message, ev.CancelRequested) for message in messages), f"{part.workflow_id}: cancel"


def check_results(
    runs: Sequence[invariants.Run],
    results: dict[str, list[str]],
    undisturbed: dict[str, list[str]],
    lines: Sequence[Line],
) -> None:
    assert results.keys() == undisturbed.keys()
    assert {run.status for run in runs} == {"completed"}
    run_ids = {run.workflow_id: run.run_id for run in runs}
    for workflow_id, result in results.items():
        if not workflow_id.startswith("cautious"):
            assert result == undisturbed[workflow_id]
            continue
        for number, (step, wanted) in enumerate(zip(result, undisturbed[workflow_id], strict=True), 1):
            body = {"run": run_ids[workflow_id], "activity": str(number)}
            begun = [line for line in lines if line["what"] == "begin" and body.items() <= line.items()]
            ended = [line for line in lines if line["what"] == "end" and body.items() <= line.items()]
            assert len(begun) <= 1
            if step == wanted:
                assert len(begun) == len(ended) == 1
            else:
                assert step.startswith("AttemptLost: attempt 1 was lost with the process that ran it"), step


async def check_replays(story: Story) -> None:
    """Each program is rebuilt from its journal alone, and is where it ended."""
    results = story.results
    with anyio.fail_after(HANGS):
        await check_programs(story, results)


async def check_programs(story: Story, results: dict[str, list[str]]) -> None:
    async with a_client(story.path) as client, a_worker(client, workflows=WORKFLOWS, max_cached_workflows=0):
        for part in parts(COPIES):
            handle = client.get_workflow_handle_for(TYPES[part.type].run, part.workflow_id)
            assert await handle.query(TYPES[part.type].so_far) == results[part.workflow_id]
            assert await handle.result() == results[part.workflow_id]


async def test_a_story_nobody_disturbs_keeps_every_promise(undisturbed: Story) -> None:
    await check(undisturbed, undisturbed)
    assert {line["attempt"] for line in undisturbed.lines if line.get("type") == "shaky_step"} == {1, 2, 3}


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_a_process_killed_at_random_moments_loses_nothing_and_repeats_nothing(
    tmp_path: Path, undisturbed: Story, number: int
) -> None:
    chance = random.Random(number)
    story = Story(tmp_path)
    for _ in range(LIVES_MAX):
        if story.live(kill_after_lines=chance.choice([5, 20, 60, 60, 90]) + chance.randrange(20)):
            break
        check_midway(story)
    else:
        story.finish()
    await check(story, undisturbed)


BEFORE_DURING_AND_AFTER_COMMITS = [
    f"{when}:commit:{number}"
    for when, numbers in {"before": (1, 2, 9), "during": (1, 2, 3, 7, 13, 19), "after": (1, 2, 6, 11, 17)}.items()
    for number in numbers
]


@pytest.mark.parametrize("moment", BEFORE_DURING_AND_AFTER_COMMITS)
async def test_a_process_killed_around_a_commit_loses_nothing_and_repeats_nothing(
    tmp_path: Path, undisturbed: Story, moment: str
) -> None:
    story = Story(tmp_path)
    assert not story.live(moment)
    check_midway(story)
    story.finish()
    await check(story, undisturbed)


@pytest.mark.parametrize("moment", ["before:close:1", "after:close:1"])
async def test_a_process_killed_while_it_leaves_has_finished(tmp_path: Path, undisturbed: Story, moment: str) -> None:
    story = Story(tmp_path)
    assert not story.live(moment)
    bodies = len([line for line in story.lines if line["what"] == "begin"])
    story.finish()
    assert len([line for line in story.lines if line["what"] == "begin"]) == bodies
    await check(story, undisturbed)


DURING_RECOVERY = [
    ["before:open:1", "after:open:1", "before:busy:1", "after:busy:1"],
    ["before:load:1", "after:load:1", "before:arrivals:1", "after:due:1"],
    ["before:commit:1", "during:commit:1", "after:commit:1", "during:commit:2"],
]


@pytest.mark.parametrize("moments", DURING_RECOVERY, ids=lambda moments: " ".join(moments))
async def test_a_process_killed_again_and_again_during_its_recovery_recovers_in_the_end(
    tmp_path: Path, undisturbed: Story, moments: list[str]
) -> None:
    story = Story(tmp_path)
    assert not story.live("after:commit:8")
    for moment in moments:
        assert not story.live(moment), moment
        check_midway(story)
    story.finish()
    await check(story, undisturbed)


def begun(story: Story, activity_type: str) -> list[Line]:
    """Bodies of one type that began."""
    return [line for line in story.lines if line["what"] == "begin" and line["type"] == activity_type]


@pytest.mark.parametrize("body", ["step:3", "thread_step:4", "shaky_step:1", "shaky_step:4"])
async def test_an_activity_killed_in_its_body_is_tried_again_under_the_next_attempt(
    tmp_path: Path, undisturbed: Story, body: str
) -> None:
    story = Story(tmp_path)
    assert not story.live(f"body:{body}")
    check_midway(story)
    killed = begun(story, body.partition(":")[0])[-1]
    story.finish()
    await check(story, undisturbed)
    body_of = {"run": killed["run"], "activity": killed["activity"]}
    attempts = [line["attempt"] for line in story.lines if line["what"] == "begin" and body_of.items() <= line.items()]
    assert killed["attempt"] + 1 in attempts


@pytest.mark.parametrize("number", [1, 2, 5])
async def test_an_activity_that_may_run_once_is_lost_when_it_is_killed_in_its_body(
    tmp_path: Path, undisturbed: Story, number: int
) -> None:
    story = Story(tmp_path)
    assert not story.live(f"body:once:{number}")
    check_midway(story)
    killed = begun(story, "once")[-1]
    story.finish()
    await check(story, undisturbed)
    step = story.results[killed["workflow"]][int(killed["activity"]) - 1]
    assert step.startswith("AttemptLost: attempt 1 was lost with the process that ran it")


async def test_an_activity_that_kills_its_process_again_and_again_is_charged_in_the_end(
    tmp_path: Path, undisturbed: Story
) -> None:
    story = Story(tmp_path)
    for _ in range(5):
        assert not story.live("body:step:1")
        check_midway(story)
    story.finish()
    await check(story, undisturbed)

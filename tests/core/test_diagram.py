"""Journals as pictures."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

from hypothesis import given as given_any, strategies as st

from actorflow import workflow
from actorflow.converter import Failure, default
from actorflow.core import events as ev, limits
from actorflow.core.diagram import flowchart, gantt
from actorflow.core.diagram.text import heading
from actorflow.core.journal import Turn
from tests.core.given import NOON, SECOND, Run, completed, signal

SOON = timedelta(seconds=5)


async def _do(name: str, *args: Any) -> Any:
    return await workflow.execute_activity(name, args=args, start_to_close_timeout=SOON)


@workflow.defn
class Loop:
    @workflow.run
    async def run(self) -> None:
        while not await _do("check"):
            await workflow.sleep(300)
        await asyncio.gather(_do("left"), _do("right"))
        await _do("last")


@workflow.defn
class Approval:
    def __init__(self) -> None:
        self.is_approved = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.is_approved, timeout=timedelta(minutes=5))
        await _do("pay")

    @workflow.signal
    def approve(self) -> None:
        self.is_approved = True

    @workflow.update
    async def ask(self, name: str) -> None:
        await _do(name)


def _boxes(chart: str) -> dict[str, str]:
    """Box id by label."""
    return {label: box for box, label in re.findall(r'^    (s\d+)\W+"(.*)"', chart, re.MULTILINE) if " " not in box}


def _looped() -> Run:
    run = Run(Loop)
    run.start()
    run.turn(completed("1", value=False), after=2)
    run.fire("1")
    run.turn(completed("2", value=False), after=1)
    run.fire("2")
    run.turn(completed("3", value=True), after=1)
    run.turn(completed("5"), after=1)
    run.turn(completed("4"), after=1)
    return run


def _asked() -> Run:
    run = Run(Approval)
    run.start()
    run.turn(ev.UpdateRequested("u1", "ask", default().values.encode(["look"])))
    return run


def test_a_loop_is_an_arrow_back_with_the_number_of_its_rounds() -> None:
    chart = flowchart(_looped().turns)
    boxes = _boxes(chart)
    check, timer = boxes["check<br/>×3"], boxes["timer 5 min<br/>×2"]
    assert f'    {check} -- "×2" --> {timer}\n' in chart
    assert f'    {timer} -. "again ×2" .-> {check}\n' in chart


def test_what_was_gathered_leads_to_the_step_behind_it() -> None:
    chart = flowchart(_looped().turns)
    boxes = _boxes(chart)
    for name in ("left", "right"):
        assert f"    {boxes['check<br/>×3']} --> {boxes[name]}\n" in chart
        assert f"    {boxes[name]} --> {boxes['last<br/>open']}\n" in chart


def test_what_is_still_open_is_marked() -> None:
    chart = flowchart(_looped().turns)
    assert f"    class {_boxes(chart)['last<br/>open']} open\n" in chart


def test_a_signal_and_the_wait_it_ended_lead_to_the_next_step() -> None:
    run = Run(Approval)
    run.start()
    run.turn(signal("approve"))
    run.turn(completed("1"))
    chart = flowchart(run.turns)
    boxes = _boxes(chart)
    assert f"    {boxes['signal approve']} --> {boxes['pay']}\n" in chart
    assert f"    {boxes['timer 5 min<br/>cancelled']} --> {boxes['pay']}\n" in chart
    assert f"    {boxes['pay']} --> {boxes['completed']}\n" in chart


def test_an_update_leads_to_what_its_handler_does() -> None:
    run = _asked()
    boxes = _boxes(flowchart(run.turns))
    assert f"    {boxes['update ask<br/>open']} --> {boxes['look<br/>open']}\n" in flowchart(run.turns)
    run.turn(completed("1"), after=2)
    boxes = _boxes(flowchart(run.turns))
    assert f"    {boxes['update ask']} --> {boxes['look']}\n" in flowchart(run.turns)


def test_an_update_that_fails_is_marked_and_one_that_its_run_outlived_is_not_called_done() -> None:
    failing = _asked()
    failing.turn(ev.ActivityFailed("1", Failure(message="no", type="No"), attempt=1))
    chart = flowchart(failing.turns)
    assert f"    class {_boxes(chart)['update ask<br/>failed']},{_boxes(chart)['look<br/>failed']} failed\n" in chart
    left = _asked()
    left.turn(ev.Terminated("enough"))
    assert "update ask<br/>cancelled" in _boxes(flowchart(left.turns))
    assert "    update ask :crit, " in gantt(left.turns)


def test_an_update_is_a_bar_until_it_is_answered_and_a_mark_if_that_is_at_once() -> None:
    run = _asked()
    noon = int(NOON.timestamp() * 1000)
    assert f"    update ask :active, milestone, {noon}, 0ms\n" in gantt(run.turns)
    run.turn(completed("1"), after=2)
    assert f"    update ask :done, {noon}, 2000ms\n" in gantt(run.turns)


def test_failures_and_attempts_stand_in_the_box() -> None:
    run = Run(Approval)
    run.start(signal("approve"))
    run.turn(ev.ActivityFailed("1", Failure(message="no money", type="Broke"), attempt=3))
    chart = flowchart(run.turns)
    pay = _boxes(chart)["pay<br/>3 attempts, failed"]
    assert f"    class {pay},{_boxes(chart)['failed']} failed\n" in chart


def test_a_cancelled_or_terminated_run_ends_in_its_own_box() -> None:
    run = Run(Approval)
    run.start()
    turn = Turn(100, run.now, (ev.Terminated("enough"),))
    assert "terminated" in _boxes(flowchart([*run.turns, turn]))


def test_a_parked_run_shows_its_trouble() -> None:
    run = Run(Approval)
    run.start()
    failure = Failure(message="bug", type="KeyError")
    turn = Turn(100, run.now, (ev.TurnFailed(failure, attempts=5, parked="KeyError: bug"),))
    assert "parked" in _boxes(flowchart([*run.turns, turn]))
    assert ":crit, milestone, " in gantt([*run.turns, turn])


def test_too_many_kinds_of_steps_share_one_box() -> None:
    many = [ev.ActivityScheduled(str(number), f"step {number}", "q") for number in range(limits.DIAGRAM_STEPS_MAX + 50)]
    turns = [Turn(4, NOON, (ev.Started("W", "q"),)), Turn(300, NOON, tuple(many))]
    boxes = _boxes(flowchart(turns))
    assert len(boxes) == limits.DIAGRAM_STEPS_MAX + 1
    assert "other steps<br/>×51, 51 open" in boxes


def test_bars_show_the_attempt_and_what_was_before_it() -> None:
    run = Run(Approval)
    run.start(signal("approve"))
    outcome = ev.ActivityCompleted("1", attempt=3, started_at=NOON + 4 * SECOND)
    run.turn(outcome, after=6)
    noon = int(NOON.timestamp() * 1000)
    lines = gantt(run.turns, title="order 1").splitlines()
    assert lines[:6] == [
        "gantt",
        "    title order 1",
        "    dateFormat x",
        "    axisFormat %H:%M:%S",
        "    section execution",
        f"    Approval, completed :done, {noon}, 6000ms",
    ]
    assert f"    activity 1, attempts before :{noon}, 4000ms" in lines
    assert f"    activity 1, attempt 3 :done, {noon + 4000}, 2000ms" in lines
    assert f"    signal approve :milestone, {noon}, 0ms" in lines


def test_timers_are_bars_until_they_fire_or_are_cancelled() -> None:
    run = Run(Approval)
    run.start()
    run.turn(signal("approve"), after=3)
    noon = int(NOON.timestamp() * 1000)
    assert f"    timer 1 (5 min), cancelled :{noon}, 3000ms\n" in gantt(run.turns)


def test_a_summary_cannot_begin_a_statement_of_the_chart() -> None:
    turns = [
        Turn(4, NOON, (ev.Started("W", "q"), ev.TimerStarted("1", SOON, summary="section Payments"))),
        Turn(9, NOON, (ev.TimerFired("1"),)),
    ]
    assert "    timer section Payments (5 s) :done, " in gantt(turns)


def test_a_heading_holds_no_markup() -> None:
    assert not set('<>[]()*_`!"') & set(heading("<img src=x> [x](javascript:alert(1)) *b* _i_ `c` !"))


def test_open_and_failed_activities_are_marked() -> None:
    run = Run(Loop)
    run.start()
    assert "    activity 1, open :active, " in gantt(run.turns)
    run.turn(ev.ActivityTimedOut("1", Failure(message="late", kind="timeout"), attempt=0), after=1)
    assert "    activity 1, never ran :crit, " in gantt(run.turns)


def test_a_chart_with_too_many_bars_says_how_many_are_missing() -> None:
    many = [ev.ActivityScheduled(str(number), "a", "q") for number in range(limits.DIAGRAM_BARS_MAX + 10)]
    turns = [Turn(4, NOON, (ev.Started("W", "q"),)), Turn(600, NOON, tuple(many))]
    assert gantt(turns).endswith("    %% 11 more bars are left out\n")


def test_an_empty_journal_is_an_empty_picture() -> None:
    assert flowchart([]) == "flowchart TD\n"
    assert gantt([]) == "gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n"


@given_any(st.text(max_size=120))
def test_no_name_breaks_out_of_its_place(name: str) -> None:
    turns = [
        Turn(4, NOON, (ev.Started(name, "q"), ev.ActivityScheduled("1", name, "q"))),
        Turn(9, NOON, (ev.SignalReceived(name), ev.TimerStarted("1", SOON, summary=name))),
    ]
    chart = flowchart(turns)
    for line in chart.splitlines()[1:]:
        assert re.fullmatch(r'    (s\d+\W+"[^"]*"\W*|s\d+ (-->|-.*->) s\d+|class(Def)? [\w,]+ [\w:,# .-]+)', line), line
    for label in re.findall(r'"(.*)"', chart):
        assert not re.search(r"[<>`\[\]{}()|\\]", label.replace("<br/>", ""))
    bars = gantt(turns, title=name).splitlines()
    assert len(bars) == len(gantt(turns, title="x").splitlines()) - (not name)
    sections = [line for line in bars if line.startswith("    section ")]
    assert len(sections) == len({"execution", "messages", "timers", name})
    for line in bars:
        if not line.startswith("    title"):
            assert re.fullmatch(r"gantt|    (dateFormat|axisFormat|section) .*|    [^:#;%]+ :[\w, ]+", line), line

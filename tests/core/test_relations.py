"""What runs say of each other: both agree, or the one that says so objects, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.invariants import StoredRun, Story
from actorflow.core.relations import INVARIANTS, LAST_EVENT, Other, objection, relations
from tests.core.given import MINUTE
from tests.core.history.given import turns_of

ASKS = ev.ChildScheduled("parcel", "Parcel", "orders", "run-p")


def begins(**options: Any) -> ev.Started:
    return ev.Started("Order", "orders", options=ev.RunOptions(**options))


class Told(NamedTuple):
    """A run, and what its journal tells."""

    run: StoredRun
    story: Story


def run(run_id: str, *groups: tuple[Any, ...], inbox: Sequence[Any] = (), **about: Any) -> Told:
    """A run, of workflow "order" unless something else is said."""
    identity = {"workflow_id": "order", "first_run_id": "", **about}
    head: Any = {"last_event": 0, "checksum": 0, "status": "running"}
    stored = StoredRun("default", run_id=run_id, workflow_type="Order", task_queue="orders", **identity, **head)
    return Told(stored, Story(turns_of(*groups), inbox))


def as_other(told: Told, event: int) -> Other:
    """What is looked up of a run: the turn that holds this event."""
    held = [turn for turn in told.story.turns if event == LAST_EVENT or turn.number >= event]
    turn = held[-1 if event == LAST_EVENT else 0] if held else None
    run, message = told.run, next(iter(told.story.inbox), None)
    started = message if isinstance(message, ev.Started) else None
    return Other(run.namespace, run.workflow_id, run.run_id, run.first_run_id, turn, started)


def objections(*runs: Told) -> list[str]:
    """What any of these runs has to say against another."""
    by_id = {told.run.run_id: told for told in runs}
    said: list[str | None] = []
    for told in runs:
        for relation in relations(told.story):
            other = by_id.get(relation.run_id)
            said.append(objection(told.run, relation, None if other is None else as_other(other, relation.event)))
    return [one for one in said if one is not None]


ALONE = ev.Started("Order", "orders")
FIRST = run("run-1", (ALONE,), (ev.ContinuedAsNew("Order", "orders", successor="run-2"),))
SECOND = run("run-2", (begins(first_run_id="run-1", continued_run_id="run-1"),), first_run_id="run-1")
PARENT = run("run-1", (ALONE, ASKS), (ev.ChildStarted(5, "run-p"),))
OF_PARENT = ev.ParentRun("default", "order", "run-1", 5)
CHILD = run("run-p", (begins(parent=OF_PARENT),), workflow_id="parcel")
NEXT_OF_CHILD = run(
    "run-q",
    (begins(parent=OF_PARENT, first_run_id="run-p", continued_run_id="run-p"),),
    workflow_id="parcel",
    first_run_id="run-p",
)


def test_runs_that_agree_have_nothing_to_say() -> None:
    assert objections(FIRST, SECOND) == []
    assert objections(PARENT, CHILD) == []


def test_a_run_without_relatives_has_no_relations() -> None:
    assert list(relations(run("run-1", (ALONE,)).story)) == []


def test_every_run_of_a_childs_chain_knows_its_parent() -> None:
    fails = ev.Failed(failure=Failure("no"), successor="run-q")
    first = run("run-p", (begins(parent=OF_PARENT), fails), workflow_id="parcel")
    assert objections(PARENT, first, NEXT_OF_CHILD) == []


def test_a_run_that_waits_for_its_first_turn_is_one_already() -> None:
    waits = run("run-2", inbox=[begins(first_run_id="run-1", continued_run_id="run-1")], first_run_id="run-1")
    assert [relation.run_id for relation in relations(waits.story)] == ["run-1"]
    assert objections(FIRST, waits) == []


DISAGREEING = {
    "no successor": ([FIRST], "run run-2 was to follow it, and does not exist"),
    "no predecessor": ([SECOND], "it follows run run-1, which does not exist"),
    "a successor that follows nobody": (
        [FIRST, run("run-2", (ALONE,), first_run_id="run-1")],
        "run run-2 was to follow it, and follows none",
    ),
    "a successor of another chain": (
        [FIRST, run("run-2", (begins(continued_run_id="run-1"),), first_run_id="run-7")],
        "run run-2 was to follow it, and is in the chain of run run-7",
    ),
    "a successor of another workflow": (
        [FIRST, run("run-2", (begins(continued_run_id="run-1"),), first_run_id="run-1", workflow_id="other")],
        "run run-2 was to follow it, and is one of workflow 'other'",
    ),
    "a predecessor that goes on": ([run("run-1", (ALONE,)), SECOND], "it follows run run-1, which is followed by none"),
    "a predecessor of another run": (
        [run("run-1", (ALONE,), (ev.Completed(successor="run-7"),)), run("run-7", (ALONE,)), SECOND],
        "it follows run run-1, which is followed by run run-7",
    ),
    "no child": ([PARENT], "run run-p, its child of event 5, does not exist"),
    "a child without a parent": ([PARENT, run("run-p", (ALONE,))], "run run-p, its child of event 5, has no parent"),
    "a child of another event": (
        [PARENT, run("run-p", (begins(parent=ev.ParentRun("default", "order", "run-1", 6)),))],
        "run run-p, its child of event 5, is one of run run-1, of event 6",
    ),
    "no parent": ([CHILD], "it is a child of run run-1, which does not exist"),
    "a parent that asked for nothing": (
        [run("run-1", (ALONE, ev.TimerStarted("1", MINUTE))), CHILD],
        "it is a child because of event 5 of run run-1, which asks for none",
    ),
    "a parent that has not come so far": (
        [run("run-1", (ALONE,)), CHILD],
        "it is a child because of event 5 of run run-1, which asks for none",
    ),
    "a parent of another child": (
        [run("run-1", (ALONE, ev.ChildScheduled("parcel", "Parcel", "orders", "run-7"))), CHILD],
        "it is a child because of event 5 of run run-1, which asks for run run-7",
    ),
}


@pytest.mark.parametrize("how", DISAGREEING)
def test_a_run_objects_to_what_the_other_does_not_say(how: str) -> None:
    runs, said = DISAGREEING[how]
    assert said in objections(*runs)


def test_relations_of_each_kind_belong_to_an_invariant() -> None:
    assert {type(one) for of in (FIRST, SECOND, PARENT, CHILD) for one in relations(of.story)} == set(INVARIANTS)

"""What runs say of each other: who follows whom, and who is whose child. Each says it of the other, or it is not so.

====  ================================================================================================================
I8    the run that a close names as its successor exists and follows it, and the other way round
I9    a child that has begun exists and knows its parent and the event that asked for it, and the other way round
====  ================================================================================================================

What one run says is a function of its rows; to see whether another one agrees takes one turn of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from actorflow.core import events as ev
from actorflow.core.invariants import StoredRun, Story
from actorflow.core.journal import Turn
from actorflow.core.policy.succession import successor_id
from actorflow.core.state import NO_OPTIONS

FIRST_EVENT: Final = 1
LAST_EVENT: Final = -1


class Relation(msgspec.Struct, frozen=True):
    """One run has something to do with another; the kinds follow.

    Attributes:
        run_id: of the other.
        event: the event of the other that must agree.
    """

    run_id: str
    event: int


class FollowedBy(Relation, frozen=True):
    """It names the other as its successor."""


class Follows(Relation, frozen=True):
    """It follows the other."""


class HasChild(Relation, frozen=True):
    """The other has begun as its child, because of its event ``initiated``."""

    initiated: int


class IsChildOf(Relation, frozen=True):
    """The other has asked for it, or for the first run of its chain."""


INVARIANTS: Final[dict[type[Relation], str]] = {FollowedBy: "I8", Follows: "I8", HasChild: "I9", IsChildOf: "I9"}


class Other(msgspec.Struct, frozen=True):
    """The other run, as far as it matters: who it is, and the turn that holds the event.

    ``message`` is the beginning that waits in its inbox, if it has no turn yet.
    """

    namespace: str
    workflow_id: str
    run_id: str
    first_run_id: str = ""
    turn: Turn | None = None
    message: ev.Started | None = None

    @property
    def started(self) -> ev.Started | None:
        """How it began, if it is the turn of that."""
        events = () if self.turn is None else self.turn.events
        return next((event for event in events if isinstance(event, ev.Started)), self.message)


def relations(story: Story) -> Iterator[Relation]:
    """Everything a run says of others."""
    started = story.state.started or next((one for one in story.inbox if isinstance(one, ev.Started)), None)
    options = NO_OPTIONS if started is None or started.options is None else started.options
    if options.continued_run_id:
        yield Follows(options.continued_run_id, LAST_EVENT)
    if options.parent is not None:
        yield IsChildOf(options.parent.run_id, options.parent.initiated)
    if story.state.children is not None:
        for event in story.events:
            if isinstance(event, ev.ChildStarted):
                yield HasChild(event.run_id, FIRST_EVENT, event.initiated)
    if successor := successor_id(story.state.close):
        yield FollowedBy(successor, FIRST_EVENT)


def objection(run: StoredRun, relation: Relation, other: Other | None) -> str | None:
    """Why a relation is not one, in one sentence; None if both agree.

    Args:
        run: who says it.
        relation: what it says.
        other: of whom; None if there is no such run.
    """
    match relation:
        case FollowedBy():
            return _not_followed(run, relation, other)
        case Follows():
            return _not_following(run, relation, other)
        case HasChild():
            return _no_child(run, relation, other)
        case _:
            return _no_parent(run, relation, other)


def _not_followed(run: StoredRun, relation: Relation, other: Other | None) -> str | None:
    whom = f"run {relation.run_id}"
    if other is None:
        return f"{whom} was to follow it, and does not exist"
    if not _is_same_workflow(run, other):
        return f"{whom} was to follow it, and is one of workflow {other.workflow_id!r}"
    if other.first_run_id != run.chain:
        return f"{whom} was to follow it, and is in the chain of run {other.first_run_id or other.run_id}"
    return _unless(_options(other).continued_run_id, run.run_id, f"{whom} was to follow it, and follows")


def _not_following(run: StoredRun, relation: Relation, other: Other | None) -> str | None:
    whom = f"run {relation.run_id}"
    if other is None:
        return f"it follows {whom}, which does not exist"
    close = None if other.turn is None else other.turn.events[-1]
    return _unless(successor_id(close), run.run_id, f"it follows {whom}, which is followed by")


def _no_child(run: StoredRun, relation: HasChild, other: Other | None) -> str | None:
    whom = f"run {relation.run_id}, its child of event {relation.initiated},"
    if other is None:
        return f"{whom} does not exist"
    parent = _options(other).parent
    if parent is None:
        return f"{whom} has no parent"
    if parent != ev.ParentRun(run.namespace, run.workflow_id, run.run_id, relation.initiated):
        return f"{whom} is one of run {parent.run_id}, of event {parent.initiated}"
    return None


def _no_parent(run: StoredRun, relation: Relation, other: Other | None) -> str | None:
    whom = f"event {relation.event} of run {relation.run_id}"
    if other is None:
        return f"it is a child of run {relation.run_id}, which does not exist"
    place = -1 if other.turn is None else relation.event - other.turn.first_decision
    asked = other.turn.events[place] if other.turn is not None and 0 <= place < len(other.turn.events) else None
    if not isinstance(asked, ev.ChildScheduled):
        return f"it is a child because of {whom}, which asks for none"
    return _unless(asked.run_id, run.chain, f"it is a child because of {whom}, which asks for")


def _is_same_workflow(run: StoredRun, other: Other) -> bool:
    return (run.namespace, run.workflow_id) == (other.namespace, other.workflow_id)


def _options(other: Other) -> ev.RunOptions:
    started = other.started
    return NO_OPTIONS if started is None or started.options is None else started.options


def _unless(found: str, wanted: str, what: str) -> str | None:
    return None if found == wanted else f"{what} {f'run {found}' if found else 'none'}"

"""Where codecs have their place: outside of turns, which can't wait.

Whatever an engine holds, writes and says is as the codec has encoded it: messages, state, journal, answers. Only a
program, an attempt and a client see plain payloads. So a turn is run on decoded copies of its messages, and what it
journals are the messages as they came and its decisions, encoded. Without a codec none of this is ever called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from actorflow.converter import Coder, Failure, Payload, WorkflowSerializationContext, payloads_of, with_payloads
from actorflow.core import events as ev, limits
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.exceptions import CodecError
from actorflow.store.protocol import Identity

T = TypeVar("T")
_Code = Callable[[Sequence[Payload], WorkflowSerializationContext], Coroutine[Any, Any, list[Payload]]]


async def outcome_of(work: Coroutine[Any, Any, T]) -> T | CodecError:
    """What a codec did, or why it could not; it has its time for it, and no longer."""
    try:
        async with asyncio.timeout(limits.CODEC_TIMEOUT.total_seconds()):
            return await work
    except CodecError as problem:
        return problem
    except TimeoutError:
        seconds = limits.CODEC_TIMEOUT.total_seconds()
        return CodecError("of this worker", "answer", f"it took longer than {seconds:g} s")
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return CodecError("of this worker", "answer", "it was cancelled")


def codec_failure(problem: CodecError) -> Failure:
    """What is kept of it: text, which nobody needs a key for."""
    return Failure(message=str(problem), type=type(problem).__name__)


def without_payloads(failure: Failure) -> Failure:
    """What can be kept of a failure whose payloads can't be encoded."""
    cause = None if failure.cause is None else without_payloads(failure.cause)
    return msgspec.structs.replace(failure, details=(), encoded_attributes=None, cause=cause)


# Turns


class Read(msgspec.Struct, frozen=True):
    """A journal and messages as a program sees them."""

    turns: Sequence[Turn]
    messages: Sequence[Message]


def is_carrying(things: Iterable[Any]) -> bool:
    """True if there is something for a codec to do."""
    return any(payloads_of(thing) for thing in things)


async def read(
    coder: Coder,
    identity: Identity,
    turns: Sequence[Turn],
    messages: Sequence[Message],
    others: Mapping[int, ev.ChildScheduled],
) -> Read:
    """Decode what a program is to see.

    Args:
        coder: of its worker.
        identity: of the run.
        turns: its journal, if it has to be replayed.
        messages: that are to have a turn.
        others: children by the event that asked for them.

    Raises:
        CodecError: the codec can't.
    """
    names = {**_children_of(turns), **{number: child.workflow_id for number, child in others.items()}}
    arrivals = [event for turn in turns for event in turn.events if type(event) not in ev.DECISIONS]
    decoded: list[Any] = await _coded(coder.decode, identity, [*arrivals, *messages], names)
    events, read_messages = iter(decoded[: len(arrivals)]), decoded[len(arrivals) :]
    plain = [  # what was decided is only compared by name, so it can stay as it is
        Turn(turn.number, turn.at, tuple([e if type(e) in ev.DECISIONS else next(events) for e in turn.events]))
        for turn in turns
    ]
    return Read(plain, read_messages)


async def written(coder: Coder, identity: Identity, decided: Sequence[T]) -> list[T]:
    """Encode what a program has decided; raises as `read`."""
    return await _coded(coder.encode, identity, decided, {})


def as_they_came(turn: Turn, seen: Sequence[Message], came: Sequence[Message]) -> Turn:
    """A turn with its arrivals as they came, in place of the copies its program has seen."""
    original_by_id = {id(copy): original for copy, original in zip(seen, came, strict=True)}
    input_by_update = {one.update_id: one.input for one in came if isinstance(one, ev.UpdateRequested)}

    def restored(event: Any) -> Any:
        if isinstance(event, ev.UpdateAccepted):
            return msgspec.structs.replace(event, input=input_by_update[event.update_id])
        return original_by_id.get(id(event), event)

    return Turn(turn.number, turn.at, tuple([restored(event) for event in turn.events]))


def with_decisions(turn: Turn, decisions: Sequence[Any]) -> Turn:
    """A turn with these decisions in place of its own."""
    arrivals = turn.events[: len(turn.events) - len(decisions)]
    return Turn(turn.number, turn.at, (*arrivals, *decisions))


def decisions_of(turn: Turn | None) -> Sequence[Any]:
    """What a turn's program has asked for."""
    return [] if turn is None else [event for event in turn.events if type(event) in ev.DECISIONS]


def _children_of(turns: Sequence[Turn]) -> dict[int, str]:
    """Workflow ids of children by the number of the event that asked for them."""
    return {
        number: event.workflow_id
        for turn in turns
        for number, event in enumerate(turn.events, turn.number - len(turn.events) + 1)
        if isinstance(event, ev.ChildScheduled)
    }


async def _coded(code: _Code, identity: Identity, carriers: Sequence[T], children: Mapping[int, str]) -> list[T]:
    """Carriers with their payloads en- or decoded; one call for all payloads of the same workflow."""
    held = [payloads_of(carrier) for carrier in carriers]
    by_workflow: dict[str, list[int]] = {}
    for index, carrier in enumerate(carriers):
        if held[index]:
            by_workflow.setdefault(_workflow_of(carrier, identity, children), []).append(index)
    coded = list(carriers)
    for workflow_id, indexes in by_workflow.items():
        context = WorkflowSerializationContext.of(identity.namespace, workflow_id)
        made = await code([payload for index in indexes for payload in held[index]], context)
        place = 0
        for index in indexes:
            end = place + len(held[index])
            coded[index] = with_payloads(carriers[index], made[place:end])
            place = end
    return coded


def _workflow_of(carrier: Any, identity: Identity, children: Mapping[int, str]) -> str:
    """Whose payloads these are: of the workflow that is spoken to, or that has answered."""
    match carrier:
        case ev.ChildScheduled(workflow_id=workflow_id) | ev.SignalSent(workflow_id=workflow_id):
            return workflow_id
        case ev.ChildResolved(initiated=initiated):
            return children.get(initiated, identity.workflow_id)
        case _:
            return identity.workflow_id

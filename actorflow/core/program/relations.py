"""A program's relations with other executions: its children, and its messages on their way to somebody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from actorflow.converter import ValueConverter
from actorflow.core import events as ev, limits
from actorflow.core.commands import Command
from actorflow.core.program.asked import Asked, Key
from actorflow.core.program.errors import CommandLimitError
from actorflow.core.program.loop import ProgramLoop
from actorflow.core.program.mode import Mode
from actorflow.core.program.others import Child, ChildFuture, Sent

_LINKED: Final = frozenset((ev.ChildScheduled, ev.SignalSent, ev.CancelSent))


class Relations:
    """Children and messages whose end is still to come, by the number of the event they began with.

    Args:
        loop: of the program.
        namespace: of its run.
        converter: for results and failures.
        asked: takes the commands.
        mode: of the program.
    """

    __slots__ = (
        "_asked",
        "_children",
        "_converter",
        "_count",
        "_linked",
        "_mode",
        "_namespace",
        "_sent",
        "loop",
    )

    def __init__(self, loop: ProgramLoop, namespace: str, converter: ValueConverter, asked: Asked, mode: Mode) -> None:
        self.loop = loop
        self._namespace = namespace
        self._converter = converter
        self._asked = asked
        self._mode = mode
        self._children: dict[int, Child] = {}
        self._sent: dict[int, Sent] = {}
        self._count = 0
        self._linked: dict[Key, Child | Sent] = {}
        """Children and messages asked for in this turn, by their command; numbered when it is over."""

    def begin_turn(self) -> None:
        """A turn begins: what was asked for before has its number."""
        self._linked.clear()

    def start_child(
        self, scheduled: ev.ChildScheduled, result_type: Any, handle: Callable[[Child], ChildFuture[Any]]
    ) -> Child:
        """Ask for a child; ``handle`` makes what its result is awaited with.

        Raises:
            ReadOnlyContextError: inside a query.
            CommandLimitError: too many are open.
        """
        self._mode.check_writable("start a child workflow")
        if len(self._children) + len(self._linked) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("children", limit=limits.COMMANDS_OUTSTANDING_MAX)
        if scheduled.search_attributes is not None:
            self._asked.has_attributes = True
        child = Child(self, scheduled, self._namespace, result_type, handle)
        self._ask("child", scheduled, child)
        return child

    def send(self, command: ev.SignalSent | ev.CancelSent) -> Sent:
        """Send a message to another execution.

        Raises:
            ReadOnlyContextError: inside a query.
            CommandLimitError: too many are on their way.
        """
        self._mode.check_writable("send something to another workflow")
        if len(self._sent) + len(self._linked) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("messages to others", limit=limits.COMMANDS_OUTSTANDING_MAX)
        sent = Sent(self, command)
        self._ask("send", command, sent)
        return sent

    def request_child_cancel(self, child: Child) -> bool:
        """See `OthersOwner`."""
        if not child.initiated:
            return self._unask(child)
        if child.initiated in self._children and not self._asked.is_arriving("child", str(child.initiated)):
            command = ev.CancelSent(child.scheduled.workflow_id, child.run_id, child.initiated)
            child.cancel_sent = self.send(command)
        return False

    def take_back(self, sent: Sent) -> bool:
        """See `OthersOwner`."""
        return not sent.initiated and self._unask(sent)

    def hear_of_child(self, arrival: Any) -> None:
        """A child has begun, could not begin, or is over."""
        if isinstance(arrival, ev.ChildStarted):
            child = self._children.get(arrival.initiated)
            if child is not None:
                child.begin(arrival)
            return
        child = self._children.pop(arrival.initiated, None)
        if child is None:
            return
        if isinstance(arrival, ev.ChildStartFailed):
            child.refuse()
        else:
            child.resolve(arrival, self._converter)

    def hear_of_message(self, reply: ev.MessageDelivered | ev.MessageRefused) -> None:
        """A message was received, or refused."""
        sent = self._sent.pop(reply.initiated, None)
        if sent is not None:
            sent.resolve(reply)

    def number(self, commands: Sequence[Command], first_number: int) -> None:
        """Tell those asked for in this turn by which events they are known from now on."""
        if not self._linked:
            return
        numbers = [number for number, command in enumerate(commands, first_number) if type(command) in _LINKED]
        for number, linked in zip(numbers, self._linked.values(), strict=True):
            self._link(linked, number)

    def forget(self) -> None:
        """Let go of everything that is open: nobody will hear of it."""
        self._children.clear()
        self._sent.clear()
        self._linked.clear()

    def _link(self, linked: Child | Sent, number: int) -> None:
        known: dict[int, Any] = self._children if isinstance(linked, Child) else self._sent
        known.pop(linked.initiated, None)  # it was numbered before, by what a tolerated replay asked for
        linked.initiated = number
        known[number] = linked

    def _ask(self, what: str, command: Command, linked: Child | Sent) -> None:
        self._count += 1
        key = (what, str(self._count))
        if self._asked.add(key, command):
            self._linked[key] = linked

    def _unask(self, linked: Child | Sent) -> bool:
        for key, known in self._linked.items():
            if known is linked:
                self._asked.take_back(key)
                del self._linked[key]
                break
        return True  # one asked for after the end was never sent, either

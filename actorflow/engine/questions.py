"""Questions that are being answered: queries that were taken, the program they are put to, and a codec around it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from actorflow.converter import Coder, Failure, Payload
from actorflow.core import events as ev
from actorflow.core.program.errors import TurnError
from actorflow.engine.codec_wait import Waiting
from actorflow.engine.codecs import Read, codec_failure, read, written
from actorflow.engine.execution import Execution
from actorflow.engine.mailbox import Mailbox, Query
from actorflow.engine.registry import WorkerHost
from actorflow.engine.site import Site
from actorflow.exceptions import CodecError
from actorflow.service import Parked
from actorflow.store.protocol import Identity


class Asked(Waiting, Protocol):
    """Who is asked."""

    def on_answered(self) -> None:
        """The program has answered; it may have been changed by that."""
        ...


class Questions:
    """All that wait in a mailbox now.

    Args:
        asked: is told when they are answered.
        site: collaborators.
        identity: of the run.
        execution: has the program.
        host: its worker.
        mailbox: where they are taken from.
    """

    __slots__ = ("_asked", "_execution", "_host", "_identity", "_mailbox", "_queries", "_site")

    def __init__(
        self, asked: Asked, site: Site, identity: Identity, execution: Execution, host: WorkerHost, mailbox: Mailbox
    ) -> None:
        self._asked = asked
        self._site = site
        self._identity = identity
        self._execution = execution
        self._host = host
        self._mailbox = mailbox
        self._queries = mailbox.take_queries()

    def answer(self) -> None:
        """Ask the program, at once or when the codec has read what is asked."""
        if self._host.coder is None:
            self._tell(self._answers([query.input for query in self._queries]))
        else:
            self._read(self._host.coder)

    def answer_with(self, answer: Parked) -> None:
        """The program can't be asked: this is the answer to all."""
        self._tell([answer] * len(self._queries))

    def _read(self, coder: Coder) -> None:
        requests = [ev.UpdateRequested("", query.name, query.input) for query in self._queries]
        work = read(coder, self._identity, self._execution.unread, requests, {})
        self._asked.wait_for_codec(work, partial(self._on_read, coder), self._put_back)

    def _on_read(self, coder: Coder, outcome: Read | CodecError) -> None:
        if isinstance(outcome, CodecError):
            self._on_written(outcome)
            return
        if outcome.turns:
            self._execution.read(outcome.turns)
        inputs = [request.input for request in outcome.messages if isinstance(request, ev.UpdateRequested)]
        work = written(coder, self._identity, self._answers(inputs))
        self._asked.wait_for_codec(work, self._on_written, self._put_back)

    def _on_written(self, outcome: Sequence[Any] | CodecError) -> None:
        is_lost = isinstance(outcome, CodecError)
        self._tell([codec_failure(outcome)] * len(self._queries) if is_lost else outcome)

    def _put_back(self) -> None:
        for query in self._queries:
            self._mailbox.put_query(query)

    def _answers(self, inputs: Sequence[tuple[Payload, ...]]) -> list[Payload | Failure]:
        return [self._answer(query, input) for query, input in zip(self._queries, inputs, strict=True)]

    def _answer(self, query: Query, input: tuple[Payload, ...]) -> Payload | Failure:
        try:
            program = self._execution.program_on(self._host, self._execution.begun_by())
            return program.query(query.name, input, query.headers)
        except TurnError as error:
            return self._host.converter.failure(error.cause)
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # whatever a handler raises is the caller's answer
            return self._host.converter.failure(problem)

    def _tell(self, answers: Sequence[Any]) -> None:
        for query, answer in zip(self._queries, answers, strict=True):
            # What the program knows may not be durable yet, and nobody may hear of it before it is.
            self._site.journal.when_settled(partial(query.answer, answer), query.refuse)
        self._asked.on_answered()

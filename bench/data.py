"""What other data converters cost: W1 through pydantic, and with a codec that encrypts."""

from __future__ import annotations

import os
from typing import Final

from actorflow.client import Client
from actorflow.contrib.pydantic import pydantic_data_converter
from actorflow.converter import DataConverter
from bench.durable import QUEUE, measured
from bench.load import crowd
from bench.programs import OneStep, Order
from bench.progress import Progress
from bench.report import Figure, Table, at_least
from bench.samples import Sample, Values, take_rounds
from bench.settings import Settings
from examples.codecs.encryption import EncryptionCodec

_WORKFLOWS: Final = 6_000
_IN_FLIGHT: Final = 200


class _OneKey:
    """A ring of one key, in memory."""

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def current(self) -> tuple[str, bytes]:
        return "only", self._key

    def key(self, key_id: str) -> bytes:
        return self._key


def data(settings: Settings, progress: Progress) -> Table:
    """Both."""
    encrypting = DataConverter(payload_codec=EncryptionCodec(_OneKey()))
    rounds = take_rounds(
        settings,
        progress,
        {
            "default": lambda: _work(settings, DataConverter.default),
            "pydantic": lambda: _work(settings, pydantic_data_converter),
            "encrypting": lambda: _work(settings, encrypting),
        },
    )
    figures = [
        Figure("W1, workflows/s", rounds.of("default", "rate")),
        Figure("W1 through pydantic, workflows/s", rounds.of("pydantic", "rate")),
        Figure("its part of W1", rounds.ratio("rate", "pydantic", "default"), target=at_least(1 / 2)),
        Figure("W1 with AES-GCM, workflows/s", rounds.of("encrypting", "rate")),
        Figure("its part of W1", rounds.ratio("rate", "encrypting", "default"), target=at_least(1 / 3)),
    ]
    return Table("data", "what other data converters cost", figures, rounds.journals)


def _work(settings: Settings, converter: DataConverter) -> Sample:
    count = settings.sized(_WORKFLOWS)

    async def body(client: Client) -> Values:
        async def one(number: int) -> None:
            name = f"order-{number}"
            await client.execute_workflow(OneStep.run, Order(name), id=name, task_queue=QUEUE)

        return {"rate": count / await crowd(one, count, in_flight=_IN_FLIGHT)}

    return measured(settings, body, converter)

"""Plays it: encrypted payments, a key that is exchanged, one that gets lost and is found again."""

from __future__ import annotations

import argparse
import asyncio
import sys
from decimal import Decimal
from pathlib import Path

from actorflow.client import Client, WorkflowHandle, WorkflowParkedError
from actorflow.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from actorflow.worker import Worker

try:
    from examples.codecs.encryption import EncryptionCodec
except ModuleNotFoundError as missing:
    sys.exit(f"this example needs {missing.name}: pip install 'actorflow[crypto]'")
from examples.codecs.compression import Chain, CompressionCodec
from examples.codecs.keys import KeyFile
from examples.codecs.payroll import Payroll, Salary, transfer

QUEUE = "payroll"


def data_converter(keys: KeyFile) -> DataConverter:
    """Compresses, then encrypts; also the messages and stack traces of failures."""
    return DataConverter(
        payload_codec=Chain(CompressionCodec(), EncryptionCodec(keys)),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def play(journal: Path, keys: KeyFile) -> int:
    """Play the story; 0 if it went as it should."""
    converter = data_converter(keys)
    keys.rotate("january")
    async with await Client.connect(f"sqlite:///{journal}", data_converter=converter) as client:
        old = await client.start_workflow(
            Payroll.run, Salary("Ada", Decimal("9100.50"), "bonus " * 400), id="salary-ada", task_queue=QUEUE
        )
        keys.rotate("february")
        new = await client.start_workflow(
            Payroll.run, Salary("Grace", Decimal("9200.75")), id="salary-grace", task_queue=QUEUE
        )
        await old.signal(Payroll.confirm, "Charles")
        await new.signal(Payroll.confirm, "Howard")
    print(f"two salaries are on the disk; a look at its bytes finds 9100.50: {is_in(journal, b'9100.50')}")

    lost = keys.remove("january")
    forgetful = data_converter(KeyFile(keys.path))
    async with await Client.connect(f"sqlite:///{journal}", data_converter=forgetful) as client:
        worker = Worker(client, task_queue=QUEUE, workflows=[Payroll], activities=[transfer])
        async with worker:
            print(await client.get_workflow_handle_for(Payroll.run, "salary-grace").result())
            waiting = client.get_workflow_handle_for(Payroll.run, "salary-ada")
            try:
                await waiting.result()
            except WorkflowParkedError as parked:
                print(f"without the key of january: {parked.reason}")
            keys.put_back("january", lost)
            print(await result_of(waiting))
    return int(is_in(journal, b"9100.50") or is_in(journal, b"9200.75"))


async def result_of(handle: WorkflowHandle[Payroll, str]) -> str:
    """The result of an execution that goes on by itself once its key is there."""
    while True:
        try:
            return await handle.result()
        except WorkflowParkedError:
            await asyncio.sleep(0.2)


def is_in(journal: Path, text: bytes) -> bool:
    """True if somebody who has the files can read this."""
    files = [path for path in journal.parent.glob(f"{journal.name}*") if path.is_file()]
    return any(text in path.read_bytes() for path in files)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and play; 0 if all went well."""
    parser = argparse.ArgumentParser(prog="python -m examples.codecs", description=__doc__)
    parser.add_argument("--db", default="payroll.db", type=Path, metavar="PATH", help="the journal (payroll.db here)")
    parser.add_argument(
        "--keys", default="payroll.keys", type=Path, metavar="PATH", help="the keys (payroll.keys here)"
    )
    options = parser.parse_args(arguments)
    return asyncio.run(play(options.db, KeyFile(options.keys)))


if __name__ == "__main__":
    sys.exit(main())

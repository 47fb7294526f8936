"""Orders that wait for a person. Without a role it plays the whole story; with one, it plays that role alone.

One process may have the journal open at a time, so the roles take turns today: start an order, approve it, and let the
worker find both.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from contextlib import suppress
from datetime import timedelta

import actorflow
from actorflow import workflow
from actorflow.client import Client, RPCError, RPCStatusCode
from actorflow.exceptions import StorageError, StorageOwnedError
from examples.order_approval.activities import Shop
from examples.order_approval.approval_sender import Answer, send
from examples.order_approval.models import APPROVAL_DEADLINE, OrderStatus
from examples.order_approval.starter import Size, an_order, start
from examples.order_approval.story import tell
from examples.order_approval.worker import a_worker

_PROGRAM = "python -m examples.order_approval"
_PATIENCE = 0.5
_USUAL_IDS = {Size.SMALL: "ORD-001", Size.LARGE: "ORD-002"}
_ONE_AT_A_TIME = (
    "One process may have the journal open at a time. Stop the other one and try again: nothing is lost, an order that "
    "was started or answered meanwhile waits for its worker."
)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and play a role; 0 if all went well, 1 if it was refused, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    _log_to_stdout()
    try:
        return asyncio.run(_play(options))
    except KeyboardInterrupt:
        _say("interrupted; start again to go on")
        return 130
    except StorageOwnedError as refusal:
        return _refuse(f"{refusal}.\n{_ONE_AT_A_TIME}")
    except StorageError as refusal:
        return _refuse(str(refusal))
    except RPCError as refusal:
        if refusal.status is not RPCStatusCode.NOT_FOUND:
            raise
        return _refuse(str(refusal))


def _parser() -> argparse.ArgumentParser:
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument(
        "--db", default=argparse.SUPPRESS, metavar="PATH", help="the journal (default: order_approval.db here)"
    )
    parser = argparse.ArgumentParser(prog=_PROGRAM, description=__doc__, parents=[everywhere])
    parser.set_defaults(role="story")
    roles = parser.add_subparsers(title="roles", metavar="ROLE")
    worker = roles.add_parser("worker", parents=[everywhere], help="run orders until Ctrl-C")
    worker.set_defaults(role="worker")
    starter = roles.add_parser("start", parents=[everywhere], help="hand in an order")
    starter.set_defaults(role="start")
    starter.add_argument("size", choices=[size.value for size in Size])
    starter.add_argument("--order", metavar="ID", help="default: ORD-001 for the small one, ORD-002 for the large one")
    starter.add_argument(
        "--deadline", type=float, default=APPROVAL_DEADLINE.total_seconds(), metavar="SECONDS", help="default: 300"
    )
    for answer in Answer:
        approver = roles.add_parser(answer.value, parents=[everywhere], help=f"{answer.value} an order that waits")
        approver.set_defaults(role=answer.value)
        approver.add_argument("order", metavar="ID")
        approver.add_argument("reason", nargs="?", default="")
    return parser


async def _play(options: argparse.Namespace) -> int:
    db = getattr(options, "db", "order_approval.db")
    async with actorflow.open(db) as client:
        match options.role:
            case "story":
                return await _tell_story(client)
            case "worker":
                return await _work(client)
            case "start":
                return await _start(client, options)
            case _:
                return await _answer(client, options)


async def _tell_story(client: Client) -> int:
    async with a_worker(client, Shop(tell=_say_indented)):
        results = await tell(client, _say, timedelta(seconds=_PATIENCE))
    ends = [result.status for result in results]
    expected = [OrderStatus.COMPLETED, OrderStatus.COMPLETED, OrderStatus.REJECTED, OrderStatus.TIMED_OUT]
    return 0 if ends == expected else 1


async def _work(client: Client) -> int:
    _say("the worker is ready; Ctrl-C stops it")
    with suppress(asyncio.CancelledError):  # Ctrl-C is how a worker is meant to end
        await a_worker(client, Shop(tell=_say_indented)).run()
    _say("the worker has stopped")
    return 0


async def _start(client: Client, options: argparse.Namespace) -> int:
    size = Size(options.size)
    order = an_order(size, options.order or _USUAL_IDS[size], timedelta(seconds=options.deadline))
    await start(client, order)
    _say(f"{order.order_id} is in the journal; it goes on as soon as a worker runs:\n   {_PROGRAM} worker")
    if order.requires_approval:
        _say(f"It has to be approved:\n   {_PROGRAM} approve {order.order_id} REASON")
    return 0


async def _answer(client: Client, options: argparse.Namespace) -> int:
    await send(client, options.order, Answer(options.role), options.reason)
    _say(f"{options.order}: your answer ({options.role}) is in the journal")
    return 0


def _say(line: str) -> None:
    # An order does not depend on whether anybody is still reading.
    with suppress(BrokenPipeError):
        print(line, flush=True)


def _say_indented(line: str) -> None:
    _say(f"   {line}")


def _refuse(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


def _log_to_stdout() -> None:
    """What the workflow says; its logger is silent while a program is only being rebuilt."""
    workflow.logger.workflow_info_on_message = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("   %(message)s"))
    logger = workflow.logger.base_logger
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())

"""Orders behind HTTP. Without arguments it serves on a free port, plays one order against itself, and stops."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

try:
    from examples.web_orders.app import create_app
    from examples.web_orders.play import play
    from examples.web_orders.server import ServerFailedError, serving
except ModuleNotFoundError as missing:
    sys.exit(f"this example needs {missing.name}: pip install 'actorflow[node]'")


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; 0 if all went well."""
    parser = argparse.ArgumentParser(prog="python -m examples.web_orders", description=__doc__)
    parser.add_argument(
        "--db", default="web_orders.db", metavar="PATH", help="the journal (default: web_orders.db here)"
    )
    parser.add_argument("--serve", action="store_true", help="serve until Ctrl-C")
    parser.add_argument("--port", default=8000, type=int, help="where to serve (default: 8000; 0: any free port)")
    options = parser.parse_args(arguments)
    work = _serve(options.db, options.port) if options.serve else _play_one_order(options.db)
    try:
        return _run(work)
    except KeyboardInterrupt:
        return 0 if options.serve else 130


def _run(work: Coroutine[Any, Any, int]) -> int:
    code = 1
    try:
        code = asyncio.run(work)
    except* ServerFailedError as refusals:
        print(refusals.exceptions[0], file=sys.stderr)
    return code


async def _serve(db: str, port: int) -> int:
    try:
        async with serving(create_app(db), port) as address:
            print(f"serving {db} on {address}; Ctrl-C stops it", flush=True)
            await asyncio.Event().wait()
    except (OSError, OverflowError) as refusal:
        print(f"port {port} can't be used: {refusal}; choose another one with --port", file=sys.stderr)
        return 1
    return 0


async def _play_one_order(db: str) -> int:
    async with serving(create_app(db)) as address:
        print(f"serving {db} on {address}", flush=True)
        return 0 if await play(address, print) else 1


if __name__ == "__main__":
    sys.exit(main())

"""A customer and an approver who talk to the application over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

_TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """What the application said."""

    status_code: int
    body: dict[str, Any]
    location: str | None = None


async def call(method: str, url: str, body: dict[str, Any] | bytes | None = None) -> Answer:
    """One request, in a thread: the loop is the application's."""
    return await asyncio.to_thread(_call, method, url, json.dumps(body).encode() if isinstance(body, dict) else body)


def _call(method: str, url: str, body: bytes | None) -> Answer:
    request = Request(url, body, {"Content-Type": "application/json"}, method=method)
    try:
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
            return Answer(response.status, json.load(response), response.headers["Location"])
    except HTTPError as refusal:
        with refusal:
            return Answer(refusal.code, json.load(refusal))


async def play(address: str, say: Callable[[str], None]) -> bool:
    """Order a lamp, approve it, wait for it; True if it was shipped and everything else was refused."""

    async def tell(method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        answer = await call(method, f"{address}{path}", body)
        say(f"{method} {path}{'' if body is None else f' {json.dumps(body)}'}")
        say(f"   {answer.status_code} {json.dumps(answer.body)}")
        return answer

    ordered = await tell("POST", "/orders", {"item": "lamp", "price": 49_00})
    order = f"/orders/{ordered.body['order_id']}"
    waiting = await tell("GET", order)
    approved = await tell("POST", f"{order}/approve", {"approved_by": "Ada"})
    shipped = await tell("GET", f"{order}?wait=true")
    again = await tell("POST", f"{order}/approve", {"approved_by": "Bob"})
    unknown = await tell("GET", "/orders/nobody-ordered-this")
    codes = [answer.status_code for answer in (ordered, waiting, approved, shipped, again, unknown)]
    return codes == [201, 200, 202, 200, 409, 404] and shipped.body["state"] == "shipped"

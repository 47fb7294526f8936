"""The application: its lifespan opens the journal and runs the worker, its routes start, signal and query.

For FastAPI it is the same: `FastAPI(lifespan=lifespan)`, and `request.state.client` in the endpoints.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import actorflow
from actorflow.client import Client, RPCError, RPCStatusCode, WorkflowHandle
from actorflow.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.exceptions import WorkflowAlreadyStartedError
from examples.web_orders.orders import ACTIVITIES, Order, State, Status, WebOrder


def create_app(db: str) -> Starlette:
    """The application on this journal. One process serves it: uvicorn with one worker."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with actorflow.open(db, workflows=[WebOrder], activities=ACTIVITIES) as client:
            yield {"client": client}

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/orders", start, methods=["POST"]),
            Route("/orders/{order_id}", show, methods=["GET"]),
            Route("/orders/{order_id}/approve", approve, methods=["POST"]),
        ],
        exception_handlers={
            RPCError: _on_rpc_error,
            WorkflowAlreadyStartedError: _on_conflict,
            msgspec.DecodeError: _on_bad_body,
            UnicodeDecodeError: _on_bad_body,
        },
    )


@dataclass(frozen=True)
class NewOrder:
    """The body of POST /orders. A caller who names the order may repeat the call: it is started once."""

    item: str
    price: Annotated[int, msgspec.Meta(gt=0)]
    order_id: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9-]*$", max_length=64)] = ""


@dataclass(frozen=True)
class NewApproval:
    """The body of POST /orders/{id}/approve."""

    approved_by: str


async def start(request: Request) -> Response:
    """POST /orders: when this is answered the order is durable."""
    body = msgspec.json.decode(await request.body(), type=NewOrder)
    order = Order(body.order_id or uuid4().hex, body.item, body.price)
    handle = await _client(request).start_workflow(
        WebOrder.run,
        order,
        id=order.order_id,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
    )
    status = await handle.query(WebOrder.status)
    return _json(status, 201, {"Location": request.url_for("show", order_id=order.order_id).path})


async def show(request: Request) -> Response:
    """GET /orders/{id}: where it is; with ?wait=true the answer comes when the order is over."""
    handle = _handle(request)
    if request.query_params.get("wait") == "true":
        return _json(await handle.result())
    return _json(await handle.query(WebOrder.status))


async def approve(request: Request) -> Response:
    """POST /orders/{id}/approve: when this is answered the approval is durable."""
    body = msgspec.json.decode(await request.body(), type=NewApproval)
    handle = _handle(request)
    status = await handle.query(WebOrder.status)
    if status.state is not State.WAITING:
        return _error(409, f"order {status.order_id} is {status.state.value}")
    await handle.signal(WebOrder.approve, body.approved_by)  # two at the same time: the workflow takes the first
    return _json(await handle.query(WebOrder.status), 202)


def _client(request: Request) -> Client:
    return request.state.client


def _handle(request: Request) -> WorkflowHandle[WebOrder, Status]:
    return _client(request).get_workflow_handle_for(WebOrder.run, request.path_params["order_id"])


async def _on_rpc_error(_request: Request, problem: Exception) -> Response:
    is_unknown = isinstance(problem, RPCError) and problem.status is RPCStatusCode.NOT_FOUND
    return _error(404 if is_unknown else 503, str(problem))


async def _on_conflict(_request: Request, problem: Exception) -> Response:
    return _error(409, str(problem))


async def _on_bad_body(_request: Request, problem: Exception) -> Response:
    return _error(400, str(problem))


def _json(value: object, status_code: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status_code, headers, media_type="application/json")


def _error(status_code: int, problem: str) -> Response:
    return _json({"error": problem}, status_code)

"""The web application, over real HTTP: what it answers, and that what it answered survives it."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.crashes import invariants
from tests.crashes.processes import running

pytest.importorskip("starlette", reason="starlette comes with the extra 'node'")
pytest.importorskip("uvicorn", reason="uvicorn comes with the extra 'node'")

from examples.web_orders.app import create_app
from examples.web_orders.play import call, play
from examples.web_orders.server import serving

LAMP = {"item": "lamp", "price": 49_00, "order_id": "A-1"}
ADA = {"approved_by": "Ada"}


@asynccontextmanager
async def a_server(path: Path) -> AsyncIterator[str]:
    """The address of the application on this file."""
    async with asyncio.timeout(15), serving(create_app(str(path))) as address:
        yield address


async def test_an_order_is_started_shown_approved_and_shipped(tmp_path: Path) -> None:
    async with a_server(tmp_path / "j.db") as address:
        ordered = await call("POST", f"{address}/orders", LAMP)
        assert (ordered.status_code, ordered.location) == (201, "/orders/A-1")
        order = f"{address}{ordered.location}"
        shown = await call("GET", order)
        assert shown.body["state"] == "waiting for approval"
        shipped, approved = await asyncio.gather(
            call("GET", f"{order}?wait=true"), call("POST", f"{order}/approve", ADA)
        )
        assert approved.status_code == 202
        assert shipped.body == {
            **LAMP,
            "state": "shipped",
            "approved_by": "Ada",
            "payment": "paid-A-1",
            "tracking_number": "track-A-1",
        }
    (run,) = invariants.check(tmp_path / "j.db")
    assert run.status == "completed"


async def test_an_order_that_is_ordered_twice_is_started_once(tmp_path: Path) -> None:
    async with a_server(tmp_path / "j.db") as address:
        answers = await asyncio.gather(*[call("POST", f"{address}/orders", LAMP) for _ in range(4)])
        assert {answer.status_code for answer in answers} == {201}
        await call("POST", f"{address}/orders/A-1/approve", ADA)
        await call("GET", f"{address}/orders/A-1?wait=true")
        assert (await call("POST", f"{address}/orders", LAMP)).status_code == 409
    assert len(invariants.check(tmp_path / "j.db")) == 1


async def test_an_order_without_a_name_is_given_one(tmp_path: Path) -> None:
    async with a_server(tmp_path / "j.db") as address:
        answers = [await call("POST", f"{address}/orders", {"item": "lamp", "price": 1}) for _ in range(2)]
    assert len({answer.body["order_id"] for answer in answers}) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/orders", b"no json"),
        ("/orders", b""),
        ("/orders", b'{"item": "lamp"}'),
        ("/orders", b'{"item": "lamp", "price": "much"}'),
        ("/orders", b'{"item": "lamp", "price": -1}'),
        ("/orders", b'{"item": "lamp", "price": 1, "order_id": "a/b"}'),
        ("/orders", b'{"item": "\xff", "price": 1}'),
        ("/orders/A-1/approve", b"{}"),
    ],
)
async def test_a_body_that_can_not_be_read_is_refused_in_a_sentence_and_nothing_happens(
    tmp_path: Path, path: str, body: bytes
) -> None:
    async with a_server(tmp_path / "j.db") as address:
        answer = await call("POST", f"{address}{path}", body)
        assert answer.status_code == 400
        assert answer.body["error"]
    assert invariants.check(tmp_path / "j.db") == []


async def test_an_unknown_order_is_not_found_and_one_that_is_over_takes_no_approval(tmp_path: Path) -> None:
    async with a_server(tmp_path / "j.db") as address:
        for method, path, body in (("GET", "/orders/x", None), ("POST", "/orders/x/approve", ADA)):
            answer = await call(method, f"{address}{path}", body)
            assert answer.status_code == 404
            assert "x" in answer.body["error"]
        await call("POST", f"{address}/orders", LAMP)
        await call("POST", f"{address}/orders/A-1/approve", ADA)
        await call("GET", f"{address}/orders/A-1?wait=true")
        late = await call("POST", f"{address}/orders/A-1/approve", ADA)
        assert (late.status_code, late.body) == (409, {"error": "order A-1 is shipped"})


async def test_the_story_of_the_example_ends_well(tmp_path: Path) -> None:
    said: list[str] = []
    async with a_server(tmp_path / "j.db") as address:
        assert await play(address, said.append)
    assert len(said) == 12


async def test_an_order_waits_for_its_approval_while_the_application_is_replaced(tmp_path: Path) -> None:
    async with a_server(tmp_path / "j.db") as address:
        await call("POST", f"{address}/orders", LAMP)
    async with a_server(tmp_path / "j.db") as address:
        assert (await call("GET", f"{address}/orders/A-1")).body["state"] == "waiting for approval"
        await call("POST", f"{address}/orders/A-1/approve", ADA)
        assert (await call("GET", f"{address}/orders/A-1?wait=true")).body["state"] == "shipped"


# Real processes


def address_of(process: Popen[str]) -> str:
    """Where a server says it is."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    found = re.search(r"http://[\d.:]+", line)
    assert found, f"it said {line!r}\n{process.stderr.read()}"
    return found[0]


async def test_what_was_answered_survives_the_death_of_the_server(tmp_path: Path) -> None:
    serve = ("-m", "examples.web_orders", "--serve", "--port", 0, "--db", tmp_path / "j.db")
    with running(*serve) as process:
        address = address_of(process)
        assert (await call("POST", f"{address}/orders", LAMP)).status_code == 201
        process.kill()
    with running(*serve) as process:
        address = address_of(process)
        assert (await call("POST", f"{address}/orders/A-1/approve", ADA)).status_code == 202
        process.kill()
    with running(*serve) as process:
        address = address_of(process)
        assert (await call("GET", f"{address}/orders/A-1?wait=true")).body["state"] == "shipped"
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    invariants.check(tmp_path / "j.db")


def test_the_example_plays_one_order_and_stops(tmp_path: Path) -> None:
    with running("-m", "examples.web_orders", "--db", tmp_path / "j.db") as process:
        said, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    assert '"state": "shipped"' in said


def test_a_port_that_is_taken_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running("-m", "examples.web_orders", "--serve", "--port", port, "--db", tmp_path / "j.db") as process:
            _, complaints = process.communicate()
    assert process.returncode == 1
    assert complaints.startswith(f"port {port} can't be used")


@pytest.mark.parametrize("arguments", [(), ("--serve", "--port", "0")])
def test_a_second_server_on_one_journal_does_not_start_and_says_why(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with running("-m", "examples.web_orders", "--serve", "--port", 0, "--db", tmp_path / "j.db") as owner:
        address_of(owner)
        with running("-m", "examples.web_orders", "--db", tmp_path / "j.db", *arguments) as second:
            _, complaints = second.communicate()
        owner.kill()
    assert second.returncode == 1
    assert f"is in use by process {owner.pid}" in complaints
    assert complaints.splitlines()[-1] == "the server did not start; its log says why"

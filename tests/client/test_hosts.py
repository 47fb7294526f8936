"""Addresses of nodes, as ported programs have them: who meets where, and on which journal."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from actorflow import workflow
from actorflow.client import Client
from actorflow.client.host import Host, parse_host
from actorflow.exceptions import ActorflowError, AddressError, MissingFileError, NotOurFileError, StorageOwnedError
from tests.crashes.processes import running
from tests.support import a_worker

ASKS = """
import asyncio, logging
from actorflow.client import Client
logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
async def main():
    client = await Client.connect("localhost:7233")
    print(client.engine.name, flush=True)
    input()
asyncio.run(main())
"""


@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return f"hello {name}"


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No journal is named by the environment of whoever runs the tests."""
    monkeypatch.delenv("ACTORFLOW_HOME", raising=False)
    monkeypatch.delenv("ACTORFLOW_ADDRESS", raising=False)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("localhost:7233", Host("localhost", 7233)),
        ("localhost", Host("localhost", 7233)),
        ("LocalHost:7233", Host("localhost", 7233)),
        ("127.0.0.1:7233", Host("localhost", 7233)),
        ("[::1]:7233", Host("localhost", 7233)),
        ("::1", Host("localhost", 7233)),
        ("http://localhost:7233", Host("localhost", 7233)),
        ("https://temporal.example.org:8443/", Host("temporal.example.org", 8443)),
        ("my-ns.a2dd6.tmprl.cloud:7233", Host("my-ns.a2dd6.tmprl.cloud", 7233)),
        ("my_container:7233", Host("my_container", 7233)),
        ("10.0.0.7:65535", Host("10.0.0.7", 65535)),
        ("[2001:DB8::7]:80", Host("2001:db8::7", 80)),
        ("[2001:db8::7]", Host("2001:db8::7", 7233)),
        ("orders.db:7233", Host("orders.db", 7233)),
    ],
)
def test_an_address_is_read_in_all_its_forms(address: str, host: Host) -> None:
    assert parse_host(address) == host
    assert parse_host(str(host)) == host


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "no name of a host"),
        (":7233", "no name of a host"),
        ("localhost:", "a port is a number"),
        ("localhost:0", "a port is a number"),
        ("localhost:65536", "a port is a number"),
        ("localhost:" + "9" * 5000, "a port is a number"),
        ("localhost:seven", "a port is a number"),
        ("localhost:٧٢٣٣", "a port is a number"),
        ("local host:7233", "no name of a host"),
        ("-x:7233", "no name of a host"),
        ("x" * 254, "no name of a host"),
        ("[localhost]:7233", "no name of a host"),
        ("[]:7233", "no name of a host"),
        ("[fe80::1%eth0]:7233", "no name of a host"),
        ("orders.db", 'use "sqlite:///orders.db"'),
        ("data/orders.db", "the address of a node such as"),
        ("postgres://localhost", "the address of a node such as"),
        ("http://localhost:7233/path", "the address of a node such as"),
        ("me@localhost:7233", "no name of a host"),
        ("sqlite://orders.db", "the address of a node such as"),
        ("memory:x", "the address of a node such as"),
        ("localhost:7233\n", "a port is a number"),
    ],
)
async def test_a_malformed_address_says_what_is_possible(address: str, why: str) -> None:
    with pytest.raises(AddressError, match=why) as refused:
        await Client.connect(address)
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, ActorflowError)
    assert refused.value.address == address


async def test_worker_and_client_that_give_the_same_address_meet(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        await Client.connect("meet.example.org:7233") as of_worker,
        await Client.connect("http://MEET.example.org") as of_starter,
        a_worker(of_worker, workflows=[Greeting]),
    ):
        assert await of_starter.execute_workflow(Greeting.run, "you", id="w", task_queue="q") == "hello you"
        assert of_starter.engine is of_worker.engine
    [told] = [record for record in caplog.records if record.name == "actorflow.client"]
    assert told.levelno == logging.WARNING
    assert of_worker.engine.name in told.getMessage()
    assert "ACTORFLOW_HOME" in told.getMessage()


async def test_whoever_comes_back_to_an_address_finds_what_was_there() -> None:
    async with await Client.connect("back.example.org") as client:
        await client.start_workflow(Greeting.run, "you", id="w", task_queue="q")
    async with await Client.connect("back.example.org") as client, a_worker(client, workflows=[Greeting]):
        assert await client.get_workflow_handle_for(Greeting.run, "w").result() == "hello you"


async def test_different_addresses_are_different_journals() -> None:
    async with (
        await Client.connect("one.example.org") as one,
        await Client.connect("one.example.org:7234") as other,
    ):
        assert one.engine is not other.engine


async def test_a_home_keeps_the_journal_in_a_file_named_after_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ACTORFLOW_HOME", str(tmp_path / "new" / "home"))
    async with await Client.connect("localhost:7233") as client:
        assert client.engine.name == str(tmp_path / "new" / "home" / "localhost-7233.db")
    async with await Client.connect("[2001:db8::7]:80") as client:
        assert client.engine.name == str(tmp_path / "new" / "home" / "2001_db8__7-80.db")
    async with await Client.connect("127.0.0.1", read_only=True) as client:
        assert [found async for found in client.list_workflows()] == []
    assert [record for record in caplog.records if record.name == "actorflow.client"] == []


async def test_a_home_that_can_be_no_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ACTORFLOW_HOME", str(tmp_path / "file"))
    with pytest.raises(NotOurFileError, match="ACTORFLOW_HOME names"):
        await Client.connect("localhost:7233")


async def test_a_journal_can_be_named_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTORFLOW_HOME", str(tmp_path / "unused"))
    monkeypatch.setenv("ACTORFLOW_ADDRESS", f"sqlite:///{tmp_path / 'named.db'}")
    async with await Client.connect("localhost:7233") as client:
        assert client.engine.name == str(tmp_path / "named.db")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".db"] == ["named.db"]
    assert not (tmp_path / "unused").exists()


async def test_memory_named_for_an_address_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTORFLOW_ADDRESS", "memory://")
    async with await Client.connect("localhost:7233") as one, await Client.connect("localhost:7233") as other:
        assert one.engine is other.engine


@pytest.mark.parametrize("named", ["sqlite://orders.db", "orders.db", "local host"])
async def test_a_named_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("ACTORFLOW_ADDRESS", named)
    with pytest.raises(AddressError) as refused:
        await Client.connect("localhost:7233")
    assert named in str(refused.value)


async def test_the_address_of_a_node_names_no_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTORFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("ACTORFLOW_ADDRESS", "elsewhere:7233")
    async with await Client.connect("localhost:7233") as client:
        assert client.engine.name == str(tmp_path / "localhost-7233.db")


async def test_there_is_nothing_to_read_at_an_address_nobody_has_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AddressError, match="nobody in this process has opened"):
        await Client.connect("unread.example.org", read_only=True)
    monkeypatch.setenv("ACTORFLOW_HOME", str(tmp_path))
    with pytest.raises(MissingFileError):
        await Client.connect("unread.example.org", read_only=True)


async def test_a_second_process_is_told_which_journal_the_address_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTORFLOW_HOME", str(tmp_path))
    with running("-c", ASKS) as first:
        assert first.stdout is not None
        name = first.stdout.readline().strip()
        with pytest.raises(StorageOwnedError) as refused:
            await Client.connect("localhost:7233")
        async with await Client.connect("localhost:7233", read_only=True) as client:
            assert [found async for found in client.list_workflows()] == []
        first.communicate("\n")
    assert f"'localhost:7233' stands for {name} here (ACTORFLOW_HOME)" in str(refused.value)
    assert f"in use by process {first.pid}" in str(refused.value)
    assert "read_only=True" in str(refused.value)


def test_a_temporary_journal_is_removed_when_the_process_ends() -> None:
    with running("-c", ASKS) as process:
        assert process.stdout is not None
        journal = Path(process.stdout.readline().strip())
        was_there = journal.exists()
        _, log = process.communicate("\n")
    assert process.returncode == 0, log
    assert was_there
    assert not journal.parent.exists()
    assert (
        f"WARNING actorflow.client localhost:7233 is served by this process alone, from a temporary journal, {journal}"
        in log
    )


def test_a_fork_leaves_the_journal_of_its_parent_alone() -> None:
    code = (
        "import os, sys\n"
        "from actorflow.client.host import parse_host\n"
        "from actorflow.client.standin import TEMPORARY\n"
        "mine = TEMPORARY.stand_in(parse_host('localhost')).address.removeprefix('sqlite:///')\n"
        "if not os.fork(): sys.exit(0)\n"
        "os.wait()\n"
        "print(os.path.isdir(os.path.dirname(mine)))\n"
    )
    with running("-c", code) as process:
        said, log = process.communicate()
    assert said == "True\n", log

"""Starting executions and talking to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from given import Night, Order, Pair, Receipt, Sale, charge

import actorflow
from actorflow.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from actorflow.common import RetryPolicy, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.envconfig import ClientConfig
from actorflow.runtime import PrometheusConfig, Runtime, TelemetryConfig

ORDER = Order(1)
ACCEPTED = WorkflowUpdateStage.ACCEPTED


async def connecting() -> None:
    runtime = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address="127.0.0.1:0")))
    client = await Client.connect("localhost:7233", namespace="n", tls=None, lazy=False, runtime=runtime)
    assert_type(client, Client)
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    await Client.connect(**config)
    clone = client.config()
    clone["namespace"] = "another"
    Client(**clone)
    async with client as entered:
        assert_type(entered, Client)

    await Client.connect()  # expect: reportCallIssue
    await Client.connect(7233)  # expect: reportArgumentType
    await Client.connect("localhost:7233", name_space="n")  # expect: reportCallIssue
    await Client.connect("localhost:7233", runtime="fast")  # expect: reportArgumentType
    clone["namespace"] = 5  # expect: reportGeneralTypeIssues
    PrometheusConfig(9000)  # expect: reportArgumentType
    ClientConfig.load_client_connect_config(strict=True)  # expect: reportCallIssue


async def starting(client: Client) -> None:
    sale = await client.start_workflow(Sale.run, ORDER, id="1", task_queue="q")
    assert_type(sale, WorkflowHandle[Sale, Receipt])
    assert_type(await sale.result(), Receipt)
    night = await client.start_workflow(
        Night.run, id="2", task_queue="q", execution_timeout=timedelta(days=1), retry_policy=RetryPolicy()
    )
    assert_type(night, WorkflowHandle[Night, int])
    pair = await client.start_workflow(Pair.run, args=[1, "x"], id="3", start_signal="stop", start_signal_args=[1])
    assert_type(pair, WorkflowHandle[Pair, list[str]])
    named = await client.start_workflow("Sale", ORDER, id="4", task_queue="q", result_type=Receipt)
    assert_type(named, WorkflowHandle[Any, Any])
    await client.start_workflow("Pair", args=[1, "x"], id="5", id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)

    await client.start_workflow(Sale.run, id="6", task_queue="q")  # expect: reportCallIssue
    await client.start_workflow(Sale.run, "order", id="6", task_queue="q")  # expect: reportCallIssue
    await client.start_workflow(Sale.run, ORDER, task_queue="q")  # expect: reportCallIssue
    await client.start_workflow(Sale.run, ORDER, id="6", taskqueue="q")  # expect: reportCallIssue
    await client.start_workflow(Sale.run, ORDER, id="6", run_timeout=60)  # expect: reportCallIssue
    await client.start_workflow(Night.run, ORDER, id="6", task_queue="q")  # expect: reportCallIssue
    await client.start_workflow(Pair.run, 1, "x", id="6", task_queue="q")  # expect: reportCallIssue
    await client.start_workflow(Pair.run, args=1, id="6", task_queue="q")  # expect: reportCallIssue
    await client.start_workflow(charge, ORDER, id="6", task_queue="q")  # expect: reportCallIssue


async def executing(client: Client) -> None:
    assert_type(await client.execute_workflow(Sale.run, ORDER, id="1", task_queue="q"), Receipt)
    assert_type(await client.execute_workflow(Night.run, id="2", task_queue="q"), int)
    assert_type(await client.execute_workflow(Pair.run, args=[1, "x"], id="3", task_queue="q"), list[str])
    assert_type(await client.execute_workflow("Night", id="4", task_queue="q"), Any)

    wrong: int = await client.execute_workflow(Sale.run, ORDER, id="1", task_queue="q")  # expect: reportAssignmentType
    await client.execute_workflow(Sale.run, 5, id="5", task_queue="q")  # expect: reportCallIssue
    await client.execute_workflow(Sale.run, ORDER, id="5", cron="@daily")  # expect: reportCallIssue
    print(wrong)


async def finding(client: Client) -> None:
    assert_type(client.get_workflow_handle_for(Sale.run, "1"), WorkflowHandle[Sale, Receipt])
    assert_type(client.get_workflow_handle_for(Night.run, "1", run_id="r"), WorkflowHandle[Night, int])
    assert_type(client.get_workflow_handle_for(Pair.run, "1"), WorkflowHandle[Pair, list[str]])
    assert_type(client.get_workflow_handle("1"), WorkflowHandle[Any, Any])
    async for found in client.list_workflows("WorkflowType = 'Sale'", limit=5):
        assert_type(found.id, str)

    client.get_workflow_handle_for("Sale", "1")  # expect: reportArgumentType
    client.get_workflow_handle_for(Sale.run)  # expect: reportCallIssue
    client.list_workflows(filter="x")  # expect: reportCallIssue


async def signalling(sale: WorkflowHandle[Sale, Receipt], night: WorkflowHandle[Night, int]) -> None:
    await sale.signal(Sale.stop)
    await sale.signal(Sale.add, ORDER, rpc_timeout=timedelta(seconds=1))
    await sale.signal(Sale.moved, args=[1, 2])
    await sale.signal("anything", 1)
    await sale.signal("anything", args=[1, 2])

    await sale.signal(Sale.stop, 5)  # expect: reportCallIssue
    await sale.signal(Sale.add)  # expect: reportCallIssue
    await sale.signal(Sale.add, "order")  # expect: reportCallIssue
    await sale.signal(Sale.moved, 1, 2)  # expect: reportCallIssue
    await sale.signal(Sale.add, ORDER, timeout=timedelta(seconds=1))  # expect: reportCallIssue
    await night.signal(Sale.stop)  # expect: reportCallIssue
    await night.signal(Sale.moved, args=[1, 2])  # expect: reportCallIssue
    await sale.signal(Sale.total)  # expect: reportCallIssue


async def querying(sale: WorkflowHandle[Sale, Receipt], night: WorkflowHandle[Night, int]) -> None:
    assert_type(await sale.query(Sale.total), float)
    assert_type(await sale.query(Sale.price_of, ORDER), float)
    assert_type(await sale.query(Sale.difference, args=[1, 2]), int)
    assert_type(await sale.query("anything", result_type=int), Any)

    await sale.query(Sale.total, 5)  # expect: reportCallIssue
    await sale.query(Sale.price_of)  # expect: reportCallIssue
    await sale.query(Sale.price_of, "order")  # expect: reportCallIssue
    await sale.query(Sale.total, rejectcondition=None)  # expect: reportCallIssue
    await night.query(Sale.total)  # expect: reportCallIssue
    wrong: str = await sale.query(Sale.total)  # expect: reportAssignmentType
    print(wrong)


async def updating(sale: WorkflowHandle[Sale, Receipt], night: WorkflowHandle[Night, int]) -> None:
    assert_type(await sale.execute_update(Sale.close), bool)
    assert_type(await sale.execute_update(Sale.change, ORDER, id="u"), Receipt)
    assert_type(await sale.execute_update(Sale.swapped, args=[1, 2]), str)
    assert_type(await sale.execute_update("anything", 1), Any)
    started = await sale.start_update(Sale.change, ORDER, wait_for_stage=ACCEPTED)
    assert_type(started, WorkflowUpdateHandle[Receipt])
    assert_type(await started.result(), Receipt)
    swapping = await sale.start_update(Sale.swapped, args=[1, 2], wait_for_stage=ACCEPTED)
    assert_type(await swapping.result(), str)
    assert_type(sale.get_update_handle_for(Sale.change, "u"), WorkflowUpdateHandle[Receipt])

    await sale.execute_update(Sale.close, 5)  # expect: reportCallIssue
    await sale.execute_update(Sale.change)  # expect: reportCallIssue
    await sale.execute_update(Sale.change, "order")  # expect: reportCallIssue
    await sale.execute_update(Sale.change, ORDER, update_id="u")  # expect: reportCallIssue
    await sale.start_update(Sale.change, ORDER)  # expect: reportCallIssue
    await night.execute_update(Sale.close)  # expect: reportCallIssue


async def starting_with_an_update(client: Client) -> None:
    fail = WorkflowIDConflictPolicy.FAIL
    operation = WithStartWorkflowOperation(Sale.run, ORDER, id="1", task_queue="q", id_conflict_policy=fail)
    assert_type(operation, WithStartWorkflowOperation[Sale, Receipt])
    of_pair = WithStartWorkflowOperation(Pair.run, args=[1, "x"], id="2", id_conflict_policy=fail)
    assert_type(of_pair, WithStartWorkflowOperation[Pair, list[str]])
    receipt = await client.execute_update_with_start_workflow(Sale.change, ORDER, start_workflow_operation=operation)
    assert_type(receipt, Receipt)
    closing = await client.start_update_with_start_workflow(
        Sale.close, start_workflow_operation=operation, wait_for_stage=ACCEPTED
    )
    assert_type(closing, WorkflowUpdateHandle[bool])
    assert_type(await operation.workflow_handle(), WorkflowHandle[Sale, Receipt])

    WithStartWorkflowOperation(Sale.run, ORDER, id="1")  # expect: reportCallIssue
    WithStartWorkflowOperation(Sale.run, 5, id="1", id_conflict_policy=fail)  # expect: reportCallIssue
    await client.execute_update_with_start_workflow(  # expect: reportCallIssue
        Sale.change, start_workflow_operation=operation
    )
    await client.execute_update_with_start_workflow(  # expect: reportCallIssue
        Night.close,
        start_workflow_operation=operation,
    )


async def embedding() -> None:
    async with actorflow.open("sales.db", workflows=[Sale], activities=[charge], task_queue="q") as client:
        assert_type(client, Client)
    assert_type(actorflow.run(Sale.run, ORDER, journal="sales.db", id="1", activities=[charge]), Receipt)
    assert_type(actorflow.run(Night.run, journal="sales.db", id="1"), int)
    assert_type(actorflow.run(Pair.run, args=[1, "x"], journal="sales.db", id="1"), list[str])

    actorflow.open("sales.db", workflow=[Sale])  # expect: reportCallIssue
    actorflow.open("sales.db", workflows=Sale)  # expect: reportArgumentType
    actorflow.run(Sale.run, journal="sales.db", id="1")  # expect: reportArgumentType
    actorflow.run(Sale.run, "order", journal="sales.db", id="1")  # expect: reportArgumentType
    actorflow.run(Sale.run, ORDER, id="1")  # expect: reportCallIssue

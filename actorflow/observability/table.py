"""Every metric there is: name, type, labels, help, buckets; whoever counts and whoever shows reads this table."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

FAST: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
LATENCY: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
LONG: Final = (0.1, 1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0, 604800.0)
BYTES: Final = tuple(float(4**power) for power in range(4, 12))
COUNTS: Final = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 5000.0, 10000.0)

OPEN_LABELS: Final = ("type", "pool")
"""Labels whose values come from programs; every other label has a handful of values of ours."""

Kind = Literal["counter", "gauge", "histogram", "info"]


class Spec(NamedTuple):
    """One metric.

    Attributes:
        name: as it is scraped, without the suffixes of a histogram.
        kind: how it is to be read.
        help: what it says, in one sentence.
        labels: their names.
        buckets: upper bounds of a histogram.
        fold: how the gauges of several engines become one.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    fold: Literal["sum", "max", "min"] = "sum"

    @property
    def width(self) -> int:
        """How many series one set of label values takes; a histogram has one per bucket, +Inf, sum and count."""
        return len(self.buckets) + 3 if self.buckets else 1

    @property
    def is_open(self) -> bool:
        """True if a label's values come from programs."""
        return any(label in OPEN_LABELS for label in self.labels)


def _counter(name: str, help: str, *labels: str) -> Spec:
    return Spec(f"actorflow_{name}", "counter", help, labels)


def _gauge(name: str, help: str, *labels: str, fold: Literal["sum", "max", "min"] = "sum") -> Spec:
    return Spec(f"actorflow_{name}", "gauge", help, labels, fold=fold)


def _histogram(name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Spec:
    return Spec(f"actorflow_{name}", "histogram", help, labels, buckets)


BUILD: Final = Spec(
    "actorflow_build_info",
    "info",
    "Versions of actorflow, Python and SQLite, and the event loop; sqlite is empty for a journal in memory.",
    ("version", "python", "sqlite", "loop"),
    fold="max",
)
WORKFLOWS_STARTED: Final = _counter("workflows_started_total", "Executions begun.", "type")
WORKFLOWS_COMPLETED: Final = _counter(
    "workflows_completed_total",
    "Executions closed; outcome is completed, failed, cancelled or terminated.",
    "type",
    "outcome",
)
WORKFLOWS: Final = _gauge(
    "workflows",
    "Executions in memory: running (waits for its turn), persisting (a change is being written), parked, or waiting.",
    "state",
)
WORKFLOW_SECONDS: Final = _histogram(
    "workflow_duration_seconds", "From the start of an execution to its end.", LONG, "type", "outcome"
)
HISTORY_EVENTS: Final = _histogram("workflow_history_events", "Events of a history when it closed.", COUNTS, "type")
HISTORY_BYTES: Final = _histogram("workflow_history_bytes", "Bytes of a journal when it closed.", BYTES, "type")
TURN_SECONDS: Final = _histogram(
    "turn_duration_seconds", "Deciding one turn, the replay before it included; nothing else runs then.", FAST, "type"
)
TURN_MESSAGES: Final = _histogram("turn_messages", "Messages one turn took from its mailbox.", COUNTS)
TURN_STALLS: Final = _counter("turn_stalls_total", "Turns that were found blocking the event loop.", "type")
MESSAGES: Final = _counter(
    "messages_total",
    "Messages by kind (signal, update, query, timer, activity_result, control) and result: ok (consumed or answered), "
    "duplicate (changed nothing), rejected (refused to its sender), dead (accepted, but found its execution closed).",
    "kind",
    "result",
)
MAILBOX_DEPTH: Final = _gauge("mailbox_depth_max", "Messages in the fullest mailbox in memory.", fold="max")
INBOX_ROWS: Final = _gauge("inbox_rows", "Messages accepted and not consumed, of the executions in memory.")
ACTORS: Final = _gauge(
    "actors",
    "Actors in memory by tier: hot (its program or its attempt is live) or warm; kind is workflow or activity.",
    "tier",
    "kind",
)
ACTIVATIONS: Final = _counter("activations_total", "Programs rebuilt from their journal.", "type")
PASSIVATIONS: Final = _counter(
    "passivations_total",
    "Programs that left memory before their end; reason is idle, lru (no room) or drain (worker or engine leaves).",
    "reason",
)
ACTIVATION_SECONDS: Final = _histogram("activation_duration_seconds", "Rebuilding one program.", FAST, "type")
REPLAY_EVENTS: Final = _histogram("replay_events", "Events replayed to rebuild one program.", COUNTS, "type")
NONDETERMINISM: Final = _counter(
    "nondeterminism_total", "Turns that failed because the code and the journal differ.", "type"
)
PARKED: Final = _gauge(
    "parked_instances",
    "Executions known to be parked; reason is code_failed, nondeterminism or unreadable.",
    "type",
    "reason",
)
ACTIVITIES_STARTED: Final = _counter("activity_started_total", "Attempts begun.", "type", "pool")
ACTIVITIES_COMPLETED: Final = _counter(
    "activity_completed_total",
    "Attempts ended, and activities ended without one; outcome is ok, retry (failed, will be tried again), failed, "
    "timeout, cancelled or worker_died.",
    "type",
    "pool",
    "outcome",
)
SCHEDULE_TO_START: Final = _histogram(
    "activity_schedule_to_start_seconds", "How long attempts waited for a slot, once they might begin.", LATENCY, "pool"
)
ACTIVITY_SECONDS: Final = _histogram(
    "activity_duration_seconds", "From the begin of an attempt to its end.", LATENCY, "type", "outcome"
)
ACTIVITY_ATTEMPTS: Final = _histogram("activity_attempts", "Attempts of an activity when it ended.", COUNTS, "type")
POOL_SLOTS: Final = _gauge("pool_slots", "Activity slots the workers of a task queue offer.", "pool")
POOL_SLOTS_USED: Final = _gauge("pool_slots_used", "Activity slots of a task queue that are taken.", "pool")
QUEUE_DEPTH: Final = _gauge("queue_depth", "Activities that wait for a slot of a task queue.", "pool")
QUEUE_AGE: Final = _gauge(
    "queue_oldest_age_seconds", "How long the first of them has been waiting.", "pool", fold="max"
)
TIMERS: Final = _gauge("timers", "Wake-ups waiting for their time, one for each execution's earliest timer.")
TIMER_LAG: Final = _histogram("timer_lag_seconds", "How late executions were woken for their timers.", FAST)
SCHEDULE_RUNS: Final = _counter(
    "schedule_runs_total",
    "Actions of schedules; outcome is started, skipped (something still ran) or refused (the workflow id is taken).",
    "outcome",
)
SCHEDULE_MISSED: Final = _counter(
    "schedule_missed_total", "Times of schedules that were too late for their catch-up window."
)
COMMIT_SECONDS: Final = _histogram(
    "journal_commit_seconds", "From handing a group commit to the store to hearing that it is durable.", FAST
)
BATCH_EVENTS: Final = _histogram("journal_batch_events", "Events of one group commit.", COUNTS)
BATCH_CHANGES: Final = _histogram("journal_batch_transitions", "Transitions of one group commit.", COUNTS)
JOURNAL_EVENTS: Final = _counter("journal_events_total", "Events written.")
JOURNAL_BYTES: Final = _counter("journal_bytes_total", "Bytes of the turns written, as text.")
JOURNAL_QUEUE: Final = _gauge("journal_queue_depth", "Transitions that are not durable yet.")
JOURNAL_ERRORS: Final = _counter(
    "journal_errors_total", "Group commits that failed; code is full or busy (written again), or failed.", "code"
)
DB_SIZE: Final = _gauge("db_size_bytes", "Size of the database file.")
DB_WAL: Final = _gauge("db_wal_bytes", "Size of its write-ahead log.")
DB_FREE: Final = _gauge("db_free_bytes", "Free space on its disk, for this user.", fold="min")
RECOVERY_SECONDS: Final = _gauge(
    "recovery_seconds", "How long waking what had something to do took when the last worker came.", fold="max"
)
RECOVERED: Final = _counter(
    "recovered_instances_total", "Executions read from the journal because they had something to do."
)
LOOP_LAG: Final = _histogram(
    "event_loop_lag_seconds",
    "How long a call from another thread waited for the event loop, once a second.",
    FAST,
)
OVERFLOW: Final = _counter(
    "metrics_overflow_total", "Label values that had no room and are counted as __other__.", "metric"
)

TABLE: Final[tuple[Spec, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Spec))
"""All of them, in the order above."""

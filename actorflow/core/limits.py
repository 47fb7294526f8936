"""Every bound of the runtime, with its reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

WORKFLOW_ID_BYTES_MAX: Final = 1_000
"""Ids go into indexes and log lines."""

NAME_BYTES_MAX: Final = 1_000
"""Workflow types, activity types, signal names, task queues: indexed or used as labels."""

TEXT_BYTES_MAX: Final = 16_384
"""Reasons, summaries and request ids: for people and for comparing, not for data."""

DURATION_MAX: Final = timedelta(days=36_500)
"""A century: longer waits are cut to it, before they leave the calendar that datetime knows."""

TASK_TIMEOUT_SHOWN: Final = timedelta(seconds=10)
"""What a program is told of the timeout of its tasks if nobody set one: the public default. Turns have none."""

LARGE_PAYLOAD_BYTES: Final = 64 * 1024
"""A larger payload is stored beside the rows that use it, once. It fills sixteen pages of the file: finding it by one
more row is nothing beside that, and rows that are read for something else stay short."""

LARGE_PAYLOAD_BYTES_MIN: Final = 1024
"""The least that may be chosen instead; a reference takes a tenth of it."""

CALL_PAYLOAD_BYTES_MAX: Final = 4 * 1024 * 1024
"""The payloads of one call together: what a node takes in one request, so that a program may move behind one."""

FAILING_PAYLOAD_BYTES_MAX: Final = LARGE_PAYLOAD_BYTES
"""What a run's head keeps of the payloads of a failure: room for a message and a stack trace that a codec has encoded.
The head is rewritten with each try, and read for all kinds of reasons; the journal has the failure as a whole."""

TURN_PAYLOAD_BYTES_MAX: Final = 64 * 1024 * 1024
"""What all calls of one turn take along: a turn is one row, and is in memory as a whole, several times over."""

TURN_MESSAGES_MAX: Final = 256
"""Messages one turn takes from a mailbox: bounds the size of a journal row and the time of a turn."""

TURN_STEPS_MAX: Final = 100_000
"""Loop steps of one turn; a program that needs more is spinning."""

MAILBOX_MESSAGES_MAX: Final = 10_000
"""Unprocessed messages of one execution; the next one from outside is refused."""

COMMANDS_OUTSTANDING_MAX: Final = 100_000
"""Activities and timers one execution may have open; beyond that split the work over several executions."""

HURRIED_RUN: Final = timedelta(seconds=1)
HURRIED_RUNS_MAX: Final = 10
"""A chain whose runs continue as new faster than that, so often in a row, waits that long before each further one: it
is spinning, and would fill the disk."""

HISTORY_EVENTS_SUGGESTED_MAX: Final = 10_000
HISTORY_BYTES_SUGGESTED_MAX: Final = 4 * 1024 * 1024
"""From here on a program is told to continue as new: rebuilding it by replay takes a tenth of a second."""

TURN_FAILURES_BEFORE_PARKING: Final = 5
"""A turn that failed this often won't be cured by another quick try."""

CODEC_FAILURES_BEFORE_PARKING: Final = 3
"""The same where a codec can't: a key server that hiccups is back by then, and a missing key should be said soon."""

TURN_RETRY_DELAY_MIN: Final = timedelta(seconds=1)
TURN_RETRY_DELAY_MAX: Final = timedelta(minutes=10)
"""Back-off between tries of a failed turn: doubled from the first to the last."""

CODEC_TIMEOUT: Final = timedelta(seconds=30)
"""How long a codec may take for one call; longer than any key server that will answer at all."""

CODEC_RETRY_DELAY: Final = timedelta(seconds=5)
"""How long an activity waits before its codec is asked again: somebody has to bring a key."""

UNCHARGED_ATTEMPTS_MAX: Final = 3
"""Attempts lost with the process that are repeated without counting; after that a crash counts as a failure."""

TEAR_DOWN_ROUNDS_MAX: Final = 10
"""How often a program that resists its tear-down is asked again."""

CACHED_WORKFLOWS_MAX: Final = 10_000
"""Programs held in memory by default; others are rebuilt by replay when a message comes."""

IDLE_TIMEOUT: Final = timedelta(seconds=60)
"""A program that had nothing to do for this long leaves memory."""

ACTIVITIES_CONCURRENT_MAX: Final = 100
"""Default of `max_concurrent_activities`."""

LOCAL_ACTIVITIES_CONCURRENT_MAX: Final = 100
"""Default of `max_concurrent_local_activities`."""

TUNED_SLOTS: Final = 100
"""Slots of each kind that a tuner of fixed sizes has where nothing else is said: the public SDK's number."""

RESOURCE_BASED_SLOTS_MAX: Final = 500
"""Slots of each kind that a tuner which would follow the load may reach where nothing else is said: enough to keep
a machine busy whose activities mostly wait, few enough for the threads of those that block."""

LOCAL_RETRY_THRESHOLD: Final = timedelta(minutes=1)
"""A local activity that has to wait longer for its next attempt waits for a durable timer, if the call says nothing."""

LOADS_CONCURRENT_MAX: Final = 64
"""Executions read from the store at the same time."""

RECOVERY_PAGE: Final = 500
"""Executions one recovery step reads before others get their turn."""

DISPATCH_SLICE_SECONDS: Final = 0.002
"""Turns run this long before other callbacks of the event loop get their chance."""

LOOP_STALL_SECONDS: Final = 2.0
"""A loop that did not tick for this long is reported with its stack."""

STORE_RETRY_DELAY: Final = timedelta(seconds=1)
"""Wait before a batch that met a full disk or a lock is written again."""

QUERY_TIMEOUT: Final = timedelta(seconds=10)
"""How long a question waits for a worker that can answer it, if the caller doesn't say."""

CLOSE_TIMEOUT: Final = timedelta(seconds=5)
"""How long closing waits for a journal that can't be written; what is not written was not acknowledged."""

REQUEST_IDS_MAX: Final = 10_000
"""Request ids an execution remembers, the latest ones: a repeated call is repeated soon."""

HEARTBEAT_FLUSH_INTERVAL: Final = timedelta(seconds=1)
"""Heartbeat details become durable at most this often."""

CANCELLED_ACTIVITY_GRACE: Final = timedelta(seconds=1)
"""How long a leaving worker waits for activities it has cancelled; a script must exit within two seconds."""

DIAGRAM_STEPS_MAX: Final = 200
"""Kinds of steps a flowchart shows one by one; with more nobody finds their way."""

DIAGRAM_BARS_MAX: Final = 500
"""Bars of a Gantt chart; renderers become slow beyond, and bars thinner than a pixel."""

LOOK_INTERVAL: Final = timedelta(seconds=0.1)
"""How often somebody who waits for a result from outside looks whether anything was committed: nobody can wake it."""

VIOLATIONS_MAX: Final = 1_000
"""Violations that a verification lists one by one; beyond that only their number grows."""

LIST_PAGE_MAX: Final = 500
"""Executions on one page of a list; whoever asks for more per page gets this many, and a token for the next page."""

LIST_TIMEOUT: Final = timedelta(seconds=5)
"""How long the store looks for the executions of one filter: enough to look at each of several millions."""

FILTER_CHARS_MAX: Final = 32_768
"""Length of a list filter; room for several hundred ids."""

FILTER_TERMS_MAX: Final = 500
"""Values in one list filter: SQLite nests one level for each and refuses a thousand."""

FILTER_DEPTH_MAX: Final = 16
"""Parentheses and NOTs inside each other in a list filter: SQLite's parser takes five places of a hundred for each."""

METRIC_LABEL_VALUES_MAX: Final = 100
"""Values of one label of one metric; later ones are counted together, whatever names clients invent."""

METRIC_SERIES_MAX: Final = 5_000
"""Series of one process; a scrape and the memory of a Prometheus server grow with them."""

METRIC_SERIES_KEPT: Final = 1_000
"""Of those, kept for what has no such label, and for the counts of all values beyond their bounds."""

METRIC_NAMES_KNOWN_MAX: Final = 1_000
"""Names whose slots are remembered; one that has no room is looked up for each event."""

CUSTOM_METRICS_MAX: Final = 100
"""Metrics a program may make with `metric_meter`; more are nobody's to look at."""

CUSTOM_SERIES_MAX: Final = 1_000
"""Series of all of them; later attributes are counted together."""

METRICS_CACHE_INTERVAL: Final = timedelta(seconds=1)
"""Whoever scrapes again within it gets the same page: two impatient servers cost no more than one."""

METRICS_REQUEST_TIMEOUT: Final = timedelta(seconds=10)
"""A scraper that sends or reads nothing for so long is cut off; a scrape times out after ten seconds by default."""

UNSERVED_NAMES_MAX: Final = 1_000
"""Names of types and task queues without a worker that are warned about; after that nobody reads the log any more."""

SCHEDULES_MAX: Final = 10_000
"""Schedules of one journal: all of them are in memory, so that the earliest is known; each takes some kilobytes."""

SCHEDULE_ENTRIES_MAX: Final = 100
"""Calendars of one schedule, intervals, and ranges of one field: each is looked at whenever the next time is sought."""

SCHEDULE_INTERVAL_MIN: Final = timedelta(seconds=1)
"""Between two times of an interval; whoever needs more has a workflow that sleeps."""

SCHEDULE_YEARS_MAX: Final = 100
"""How far ahead a calendar is searched; a day that exists at all comes within forty years."""

SCHEDULE_SKIPS_MAX: Final = 1_000
"""Stretches (seconds, minutes, hours or days) left out in a row while the next time is sought: whoever leaves out all
days of nearly three years has no further time. Bounds the search to 100 ms."""

SCHEDULE_STEP_MAX: Final = 100
"""Times of one schedule that are dealt with before others get their turn, and workflows it starts at once."""

SCHEDULE_MISSED_MAX: Final = 1_000
"""Missed times that are counted one by one after an absence; a year of missed seconds would take minutes."""

SCHEDULE_BUFFER_MAX: Final = 1_000
"""Actions of one schedule that wait for another to end; later ones are skipped."""

SCHEDULE_RUNNING_MAX: Final = 1_000
"""Running workflows a schedule knows of; beyond it only those that overlap by permission are started."""

SCHEDULE_RECENT_MAX: Final = 10
SCHEDULE_NEXT_MAX: Final = 10
"""Actions that a description of a schedule shows: as many as the public API does."""

SCHEDULE_BACKFILLS_MAX: Final = 100
"""Backfills of one schedule that are not done yet."""

SCHEDULE_CATCHUP_WINDOW: Final = timedelta(days=365)
SCHEDULE_CATCHUP_WINDOW_MIN: Final = timedelta(seconds=10)
"""How late an action may be taken: the default and the least of the public API."""

CRON_CHARS_MAX: Final = 1_000
"""Length of a cron expression."""

SEARCH_ATTRIBUTES_MAX: Final = 100
"""Search attributes of one call, and so about what one run has: each is a row of an index or more."""

SEARCH_ATTRIBUTE_NAMES_MAX: Final = 1_000
"""Names of search attributes in one namespace: they are held in memory, and a type is for ever."""

KEYWORD_BYTES_MAX: Final = 2_048
"""Length of a keyword: longer ones need pages of their own in an index."""

KEYWORDS_MAX: Final = 500
"""Keywords in one list: each is a row of an index."""

SEARCH_TEXT_BYTES_MAX: Final = 8_192
"""Length of a text that is found by its words: each word is a row of an index."""

SKIP_ACTIVITY_GRACE: Final = timedelta(milliseconds=20)
"""Before a test that sleeps skips time, activities that run get so long to end: most are quicker, none holds it up."""

PROGRAMS_WATCHED_MAX: Final = 100
"""Programs of a definition that a worker in development mode watches for clocks and chance, and whose turns it runs
twice. On Python 3.11 code that is watched is three times slower, and what the next thousand runs of the same code do
is no news."""

SKIP_STUCK_GRACE: Final = timedelta(seconds=1)
"""How long nothing at all may happen, nor be due, before a test is told that what it awaits does not come."""

SKIPS_IDLE_MAX: Final = 1_000
"""Jumps in time of which nothing came; by then an activity has been retried long enough to say that it never works."""

SKIPS_MAX: Final = 1_000_000
"""Jumps in time for one awaited result; some minutes of work, and more steps than an execution should have."""

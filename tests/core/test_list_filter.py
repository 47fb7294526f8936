"""The filter language: what it means, and what is refused where."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from actorflow.core import limits
from actorflow.core.policy.filter_tree import (
    And,
    Between,
    Column,
    Comparison,
    Condition,
    CountQuery,
    IsNull,
    ListQuery,
    Not,
    OneOf,
    Operator,
    Or,
    Order,
    StartsWith,
)
from actorflow.core.policy.list_filter import parse_count_query, parse_list_query
from actorflow.exceptions import ListFilterError
from tests.core.filters import orders, trees, written

NOON_NANOS = 1_906_545_600_000_000_000
"""2030-06-01T12:00:00Z."""


def is_equal(column: Column, value: str | int | bool) -> Comparison:
    return Comparison(column, Operator.EQUAL, value)


A = is_equal(Column.WORKFLOW_ID, "a")
B = is_equal(Column.RUN_ID, "b")
C = is_equal(Column.TASK_QUEUE, "c")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("WorkflowId = 'a'", A),
        ('WorkflowId="a"', A),
        ("`WorkflowId` = 'a'", A),
        ("((WorkflowId = 'a'))", A),
        ("WorkflowType != 'Order'", Comparison(Column.WORKFLOW_TYPE, Operator.NOT_EQUAL, "Order")),
        ("WorkflowType <> 'Order'", Comparison(Column.WORKFLOW_TYPE, Operator.NOT_EQUAL, "Order")),
        ("ExecutionStatus = 'Running'", is_equal(Column.EXECUTION_STATUS, "running")),
        ("ExecutionStatus = 'Canceled'", is_equal(Column.EXECUTION_STATUS, "cancelled")),
        ("ExecutionStatus = 'cancelled'", is_equal(Column.EXECUTION_STATUS, "cancelled")),
        (
            "ExecutionStatus IN ('timedout', 'CONTINUEDASNEW')",
            OneOf(Column.EXECUTION_STATUS, ("timed_out", "continued")),
        ),
        ("TaskQueue NOT IN ('a', \"b\")", OneOf(Column.TASK_QUEUE, ("a", "b"), True)),
        ("WorkflowId STARTS_WITH 'order-'", StartsWith(Column.WORKFLOW_ID, "order-")),
        ("WorkflowId not starts_with 'order-'", StartsWith(Column.WORKFLOW_ID, "order-", True)),
        ("CloseTime IS NULL", IsNull(Column.CLOSE_TIME)),
        ("CloseTime is not null", IsNull(Column.CLOSE_TIME, True)),
        ("Parked = TRUE", is_equal(Column.PARKED, True)),
        ("Parked = false", is_equal(Column.PARKED, False)),
        ("StartTime > 5", Comparison(Column.START_TIME, Operator.GREATER, 5)),
        ("StartTime >= -5", Comparison(Column.START_TIME, Operator.GREATER_OR_EQUAL, -5)),
        ("StartTime < '1970-01-01T00:00:01Z'", Comparison(Column.START_TIME, Operator.LESS, 1_000_000_000)),
        ("StartTime BETWEEN 1 AND 2", Between(Column.START_TIME, 1, 2)),
        ("StartTime NOT BETWEEN 1 AND 2 AND WorkflowId = 'a'", And((Between(Column.START_TIME, 1, 2, True), A))),
        ("WorkflowId='a' OR RunId='b' AND TaskQueue='c'", Or((A, And((B, C))))),
        ("(WorkflowId='a' OR RunId='b') AND TaskQueue='c'", And((Or((A, B)), C))),
        ("NOT WorkflowId='a' AND RunId='b'", And((Not(A), B))),
        ("NOT (WorkflowId='a' AND RunId='b')", Not(And((A, B)))),
        ("NOT NOT WorkflowId='a'", Not(Not(A))),
        ("WorkflowId='a'\n\tand RunId='b' And TaskQueue='c'", And((A, B, C))),
    ],
)
def test_a_filter_means(text: str, meaning: Condition) -> None:
    assert parse_list_query(text) == ListQuery(meaning)
    assert parse_count_query(text) == CountQuery(meaning)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("''", ""),
        ("'it''s'", "it's"),
        (r"'it\'s'", "it's"),
        ('"say ""hi"""', 'say "hi"'),
        (r'"say \"hi\""', 'say "hi"'),
        ("'say \"\"hi'", 'say ""hi'),
        (r"'a\\b'", "a\\b"),
        (r"'tab\tline\n'", "tab\tline\n"),
        ("'100%_sure; -- DROP TABLE run'", "100%_sure; -- DROP TABLE run"),
        ("'x'' OR 1=1 --'", "x' OR 1=1 --"),
        ("'Ünïcode 🎉'", "Ünïcode 🎉"),
    ],
)
def test_text_is_quoted(text: str, meaning: str) -> None:
    assert parse_list_query(f"WorkflowId = {text}").where == is_equal(Column.WORKFLOW_ID, meaning)


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("2030-06-01T12:00:00Z", NOON_NANOS),
        ("2030-06-01t12:00:00z", NOON_NANOS),
        ("2030-06-01 12:00:00Z", NOON_NANOS),
        ("2030-06-01T14:30:00+02:30", NOON_NANOS),
        ("2030-06-01T10:00:00-02:00", NOON_NANOS),
        ("2030-06-01T12:00:00.5Z", NOON_NANOS + 500_000_000),
        ("2030-06-01T12:00:00.000000001Z", NOON_NANOS + 1),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000_000),
    ],
)
def test_instants_are_rfc_3339(text: str, nanos: int) -> None:
    assert parse_list_query(f"StartTime = '{text}'").where == is_equal(Column.START_TIME, nanos)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", Order(Column.START_TIME, is_descending=True)),
        ("  \n", Order(Column.START_TIME, is_descending=True)),
        ("ORDER BY StartTime", Order(Column.START_TIME, is_descending=False)),
        ("order by CloseTime desc", Order(Column.CLOSE_TIME, is_descending=True)),
        ("ORDER BY `CloseTime` ASC", Order(Column.CLOSE_TIME, is_descending=False)),
    ],
)
def test_lists_have_an_order(text: str, order: Order) -> None:
    assert parse_list_query(text) == ListQuery(None, order)


def test_counts_may_be_grouped_by_status() -> None:
    assert parse_count_query("") == CountQuery()
    assert parse_count_query("GROUP BY ExecutionStatus") == CountQuery(None, True)
    assert parse_count_query("WorkflowId = 'a' group by ExecutionStatus") == CountQuery(A, True)


@pytest.mark.parametrize(
    ("text", "position", "complaint"),
    [
        ("workflowtype = 'a'", 0, "did you mean WorkflowType?"),
        ("WorkflowId = 'a' AND Workflow_Id = 'b'", 21, "did you mean WorkflowId?"),
        ("`Started` = 1", 0, "did you mean StartTime?"),
        ("Xyzzy = 1", 0, "expected one of WorkflowType, WorkflowId"),
        ("ExecutionStatus = 'runing'", 18, "did you mean Running?"),
        ("ExecutionStatus IN ('Failed', 'Dead')", 30, "expected one of Running, Completed"),
        ("ExecutionStatus = 1", 18, "expected text for ExecutionStatus, in quotes"),
        ("WorkflowType = 5", 15, "expected text for WorkflowType, in quotes"),
        ("WorkflowType = Order", 15, "expected text for WorkflowType, in quotes"),
        ("WorkflowType > 'a'", 13, "expected an operator for WorkflowType: =, !=, [NOT] IN"),
        ("WorkflowType BETWEEN 'a' AND 'b'", 13, "an operator for WorkflowType"),
        ("StartTime STARTS_WITH '2030'", 10, "expected an operator for StartTime"),
        ("ExecutionStatus STARTS_WITH 'R'", 16, "an operator for ExecutionStatus"),
        ("ExecutionStatus >= 'Running'", 16, "an operator for ExecutionStatus"),
        ("Parked = 'yes'", 9, "TRUE or FALSE"),
        ("Parked IN (TRUE)", 7, "an operator for Parked: =, !="),
        ("Parked", 6, "found the end at position 6; expected an operator after Parked"),
        ("RunId IS NULL", 6, "which is never NULL"),
        ("CloseTime IS 5", 13, "expected NULL or NOT NULL"),
        ("StartTime = TRUE", 12, "expected a time for StartTime"),
        ("StartTime > '2030-01-01T00:00:00'", 12, "add Z for UTC"),
        ("StartTime > '2030-01-01'", 12, "a time of RFC 3339"),
        ("StartTime > 'yesterday'", 12, "a time of RFC 3339"),
        ("StartTime > '2030-02-30T00:00:00Z'", 12, "a day and a time that exist"),
        ("StartTime > '2030-01-01T00:00:00+24:00'", 12, "a day and a time that exist"),
        ("StartTime > '0001-01-01T00:00:00+01:00'", 12, "within the years 1 to 9999"),
        ("StartTime > 1.5", 12, "without a fraction"),
        (f"StartTime > {'9' * 6_000}", 12, "within the years 1 to 9999"),
        ("WorkflowId = 'a", 13, "the quote ' is not closed"),
        ("WorkflowId = \"a'", 13, 'the quote " is not closed'),
        ("`WorkflowId = 'a'", 0, "the quote ` is not closed"),
        ("WorkflowId = 'a' OR", 19, "expected a column"),
        ("WorkflowId = 'a' RunId = 'b'", 17, "expected AND, OR, ORDER BY or the end"),
        ("(WorkflowId = 'a'", 17, "expected AND, OR or ')'"),
        ("WorkflowId = 'a')", 16, "found )"),
        ("WorkflowId IN ()", 15, "expected text for WorkflowId"),
        ("WorkflowId IN 'a'", 14, "expected '('"),
        ("WorkflowId IN ('a' 'b')", 19, "expected ',' or ')'"),
        ("WorkflowId == 'a'", 12, "expected text for WorkflowId"),
        ("WorkflowId LIKE 'a%'", 11, "expected an operator after WorkflowId"),
        ("'a' = WorkflowId", 0, "expected a column"),
        ("AND = 'a'", 0, "expected a column"),
        ("WorkflowId = 'a'; DROP TABLE run", 16, "found ';'"),
        ("WorkflowId = 'a' -- rest", 17, "found '-'"),
        ("ORDER BY WorkflowId", 9, "expected StartTime or CloseTime"),
        ("ORDER BY StartTime, CloseTime", 18, "expected the end"),
        ("ORDER StartTime", 6, "expected BY"),
        ("GROUP BY ExecutionStatus", 0, "GROUP BY to counts"),
        ("WorkflowId = 'a' GROUP BY ExecutionStatus", 17, "GROUP BY to counts"),
        ("WorkflowId = '\ud800'", 14, "lone surrogate"),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, position: int, complaint: str) -> None:
    with pytest.raises(ListFilterError) as refused:
        parse_list_query(text)
    assert refused.value.position == position
    assert complaint in str(refused.value)
    assert f"at position {position}" in str(refused.value)


def test_the_message_points_at_the_mistake() -> None:
    with pytest.raises(ListFilterError) as refused:
        parse_list_query("WorkflowId = 'a' AND workflowtype = 'b'")
    assert str(refused.value).splitlines() == [
        "unknown column workflowtype at position 21; did you mean WorkflowType? Expected one of WorkflowType, "
        "WorkflowId, RunId, ExecutionStatus, StartTime, CloseTime, TaskQueue, Parked",
        "  WorkflowId = 'a' AND workflowtype = 'b'",
        "                       ^",
    ]


def test_the_message_of_a_long_filter_shows_the_place_only() -> None:
    padding = "WorkflowId = 'a' AND " * 50
    with pytest.raises(ListFilterError) as refused:
        parse_list_query(f"{padding}Nonsense = {'x' * 500}")
    _, excerpt, caret = str(refused.value).splitlines()
    assert excerpt[len(caret) - 1 :].startswith("Nonsense")
    assert len(excerpt) < 100


def test_the_message_brings_no_terminal_escapes() -> None:
    with pytest.raises(ListFilterError) as refused:
        parse_list_query("WorkflowId = 'a' AND StartTime > '\x1b[2J\r\n'")
    assert "\x1b" not in str(refused.value)
    assert "\r" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("ORDER BY StartTime", "ORDER BY belongs to lists"), ("GROUP BY WorkflowType", "expected ExecutionStatus")],
)
def test_counts_have_no_order_and_one_group(text: str, complaint: str) -> None:
    with pytest.raises(ListFilterError, match=complaint):
        parse_count_query(text)


def test_a_filter_has_bounds() -> None:
    inside = limits.FILTER_DEPTH_MAX
    assert parse_list_query(f"{'(' * inside}WorkflowId = 'a'{')' * inside}").where == A
    values = ", ".join(["'a'"] * limits.FILTER_TERMS_MAX)
    assert parse_list_query(f"WorkflowId IN ({values})").where is not None
    for text, complaint in (
        (f"{'(' * 20_000}", "inside each other"),
        (f"{'NOT ' * 5_000}", "inside each other"),
        (f"WorkflowId IN ({values}, 'a')", "values in one filter"),
        (" OR ".join(["CloseTime IS NULL"] * 501), "values in one filter"),
        ("'" * (limits.FILTER_CHARS_MAX + 1), "characters"),
    ):
        with pytest.raises(ListFilterError, match=complaint):
            parse_list_query(text)


WORDS = st.sampled_from(
    [
        *(column.value for column in Column),
        *("AND", "OR", "NOT", "IN", "BETWEEN", "STARTS_WITH", "IS", "NULL", "ORDER", "GROUP", "BY", "DESC", "TRUE"),
        *("(", ")", ",", "=", "!=", ">", "<", "`", "'", '"', "\\"),
        *("'Running'", "'2030-01-01T00:00:00Z'", "5", "'a'", "\n", "\x00", "\ud800", "🎉"),
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join)))
def test_whatever_the_text_it_is_understood_or_refused_at_a_position(text: str) -> None:
    for parse in (parse_list_query, parse_count_query):
        refusal: ListFilterError | None = None
        try:
            parse(text)
        except ListFilterError as refused:
            refusal = refused
        if refusal is not None:
            assert 0 <= refusal.position <= len(text)
            assert str(refusal).count("\n") == 2


INSTANTS = st.integers(-(10**18), 4 * 10**18)


@settings(max_examples=300, deadline=None)
@given(trees(st.text(st.characters(codec="utf-8")), INSTANTS), orders())
def test_what_is_written_is_read_again(where: Condition, order: Order) -> None:
    query = ListQuery(where, order)
    assert parse_list_query(written(query)) == query

"""A failure never ends the run of the tests: it is reported, whatever broke."""

from __future__ import annotations

import pytest
from reporting import LONG, explain_long, with_lines


def error_at_no_line() -> ValueError:
    """As a time-out leaves it that struck between the lines."""
    code = compile("raise ValueError('struck')", "between.py", "exec")

    with pytest.raises(ValueError, match="struck") as raised:
        exec(code.replace(co_linetable=b""))

    traceback = raised.value.__traceback__
    assert traceback is not None

    return raised.value.with_traceback(traceback.tb_next)


def lines_of(error: BaseException) -> list[int | None]:
    lines: list[int | None] = []
    traceback = error.__traceback__

    while traceback is not None:
        lines.append(traceback.tb_lineno)
        traceback = traceback.tb_next

    return lines


@pytest.fixture
def struck() -> ValueError:
    error = error_at_no_line()
    assert lines_of(error) == [None]

    return error


def test_an_error_at_no_line_is_reported_at_the_first_of_its_function(struck: ValueError) -> None:
    report = with_lines(struck).getrepr()

    assert lines_of(struck) == [1]
    assert "struck" in str(report)


def test_so_is_what_an_error_came_from(struck: ValueError) -> None:
    with pytest.raises(RuntimeError, match="outer") as raised:
        raise RuntimeError("outer") from ExceptionGroup("several", [struck])

    with_lines(raised.value)

    assert lines_of(struck) == [1]


def test_long_values_are_compared_by_their_first_difference() -> None:
    same = "a" * LONG[str]

    assert explain_long("==", same + "b", same + "c") == [
        f"two long values ({len(same) + 1} and {len(same) + 1}) that differ first at {len(same)}:",
        "left  'b'",
        "right 'c'",
    ]
    assert explain_long("==", [0] * LONG[list], [0]) == [
        f"two long values ({LONG[list]} and 1) that differ first at 1:",
        f"left  {[0] * 200!r:.200}",
        "right []",
    ]


def test_short_values_are_left_to_pytest() -> None:
    assert explain_long("==", "a", "b") is None
    assert explain_long("==", [1], [2]) is None
    assert explain_long("!=", "a" * LONG[str], "a" * LONG[str]) is None

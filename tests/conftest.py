"""What all tests share: in CI a test that skips has failed, unless its reason is listed here.

Examples of properties have no deadline: how long one takes says how busy the machine is. Processes under
test hear signals that `nohup`, or a script that runs the tests in the background, has these ignore.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Generator, Iterator, Sequence

import pytest
from headrace import LM
from headrace.lm import preload
from hypothesis import HealthCheck, settings
from reporting import explain_long, with_lines
from server.stores import STORES, over, use_everywhere

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:  # which other programs would inherit
        signal.signal(number, lambda number, frame: None)

IN_CI = os.environ.get("HEADRACE_CI") == "1"

MAY_SKIP = (
    "no seed documents in",  # they are not part of the repository
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=STORES, default="memory", help="where runs are kept")


def pytest_configure(config: pytest.Config) -> None:
    use_everywhere(str(config.getoption("--store")))


@pytest.fixture(params=[*STORES])
def each_store(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """Runs a test once over each store: `pytestmark = pytest.mark.usefixtures("each_store")`."""
    with over(request.param):
        yield


def pytest_assertrepr_compare(op: str, left: object, right: object) -> Sequence[str] | None:
    return explain_long(op, left, right)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[object],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if call.excinfo is not None:
        call.excinfo = with_lines(call.excinfo.value)

    report = yield
    _forbid_skipping(report)

    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skipping(report)

    return report


def _forbid_skipping(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not IN_CI or not report.skipped or hasattr(report, "wasxfail"):
        return

    reason = str(report.longrepr)

    if not any(listed in reason for listed in MAY_SKIP):
        report.outcome = "failed"
        report.longrepr = f"in CI nothing skips, but this did: {reason}"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Imports litellm before the first test that asks an LM: on a busy machine it takes a minute,
    which is no test's to spend."""
    if any(getattr(getattr(item, "module", None), "LM", None) is LM for item in session.items):
        preload().join()


@pytest.fixture
def logging_put_back() -> Iterator[None]:
    """Undoes what a test does to the process's logging."""
    root, ours = logging.getLogger(), logging.getLogger("headrace")
    before = root.handlers[:], root.level, ours.level

    yield

    root.handlers[:], level, own = before
    root.setLevel(level)
    ours.setLevel(own)

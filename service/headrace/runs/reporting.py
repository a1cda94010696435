"""Reporting: the one line of log that each run leaves at its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from headrace.runs.causes import origin_of
from headrace.runs.live import LiveRun
from headrace.runs.record import RunState
from headrace.threads.portal import zombie_threads

logger = logging.getLogger("headrace.runs")


def report(run: LiveRun) -> None:
    """Logs how a run ended and what it took, before it is released: the failure still has its cause."""
    failure, facts = run.full_failure, facts_of(run)

    if failure is None:
        logger.info("run succeeded", extra={"facts": facts})
    elif run.state is RunState.CANCELLED:
        logger.info("%s", failure.message, extra={"facts": facts})
    else:
        extra = {"facts": facts, "failure": failure}
        logger.error("run failed: %s", failure.message, extra=extra, exc_info=origin_of(failure))

    if zombies := zombie_threads():
        logger.warning("zombie_threads: %d, of sync code that has outlived its run", zombies)


def facts_of(run: LiveRun) -> Mapping[str, object]:
    """Facts of a run that has just ended. Times in seconds, since it was admitted."""
    usage, first = run.usage, run.log.first_token_time

    return {
        "state": run.state.name,
        "reason": run.failure.reason if run.failure else None,
        "peer": run.record.peer,
        "duration": round(time.time() - run.create_time, 3),
        "first_token": None if first is None else round(first - run.create_time, 3),
        "lm_calls": usage.lm_calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
    }

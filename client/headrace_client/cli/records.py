"""`headrace answer`, `cancel` and `rm`: what becomes of runs that exist."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from headrace_client import InputRequest, Run, RunNotFound, SyncClient
from headrace_client.cli.asking import Answer, Declines, NoAnswer, Reply, reply_of
from headrace_client.cli.clean import one_line
from headrace_client.cli.exits import REFUSED, line_of, reporting, usage_errors
from headrace_client.cli.inputs import text_of
from headrace_client.cli.target import Target, with_target
from headrace_client.cli.wording import outcome_text


@click.command()
@click.argument("run_id")
@click.argument("input_id")
@click.argument("value", required=False)
@click.option("--answer-json", metavar="JSON", help="The answer as JSON; @file, - for stdin.")
@click.option("--approve", is_flag=True, help="Allow the tool, with the arguments it proposes.")
@click.option("--decline", is_flag=True, help="Give no answer; do not allow the tool.")
@click.option("--reason", default="", help="Told to the program, or to the agent's model.")
@with_target
@reporting
def answer(
    target: Target,
    run_id: str,
    input_id: str,
    value: str | None,
    answer_json: str | None,
    approve: bool,
    decline: bool,
    reason: str,
) -> None:
    """Answer the question INPUT_ID of a run with VALUE.

    VALUE is read as the question wants it: text as it stands, a choice or its number, y or n, else JSON.
    `headrace attach` shows what a run asks.
    """
    given = [value is not None, answer_json is not None, approve, decline]

    if sum(given) != 1:
        raise click.UsageError("give one of VALUE, --answer-json, --approve and --decline")

    with target.sync_client() as client, usage_errors():
        if decline:
            reply: Reply = Declines()
        elif approve:
            reply = Answer(True)
        elif answer_json is not None:
            reply = Answer(_json(answer_json))
        else:
            reply = _typed(client, run_id, input_id, value or "")

        if isinstance(reply, Answer):
            resolved = client.answer(run_id, input_id, reply.value, reason=reason)
        else:
            resolved = client.decline(run_id, input_id, reason=reason)

    click.echo(f"run {run_id}, input {input_id}: {one_line(outcome_text(resolved))}")


@click.command()
@click.argument("run_id")
@click.option("--reason", default="", help="Told to all who read the run.")
@with_target
@reporting
def cancel(target: Target, run_id: str, reason: str) -> None:
    """Stop a run, however many read it; one that is yet to start is refused for a minute."""
    with target.sync_client() as client:
        answered = client.cancel(run_id, reason=reason)

    if answered.HasField("run"):
        state = Run.State.Name(answered.run.state).removeprefix("STATE_").lower()
        click.echo(f"run {run_id}: {state}")
    else:
        until = answered.refused_until.ToJsonString()
        click.echo(f"run {run_id}: there is none; one of this name is refused until {until}")


@click.command()
@click.argument("run_ids", metavar="RUN_ID...", nargs=-1, required=True)
@with_target
@reporting
def rm(target: Target, run_ids: Sequence[str]) -> None:
    """Delete runs: end them if need be, and forget all of them."""
    all_known = True

    with target.sync_client() as client:
        for run_id in run_ids:
            try:
                client.delete(run_id)
            except RunNotFound as error:
                click.echo(f"headrace: {line_of(error)}", err=True)
                all_known = False
            else:
                click.echo(f"run {run_id}: deleted")

    if not all_known:
        raise click.exceptions.Exit(REFUSED)


def _typed(client: SyncClient, run_id: str, input_id: str, text: str) -> Reply:
    """The reply as the question wants it; of a run of somebody else's, JSON where it is JSON."""
    if not text.strip():
        raise click.UsageError("the answer is empty: write --decline to give none")

    request = _asked(client, run_id, input_id)

    try:
        if request is not None:
            return reply_of(request, text)

        return Answer(json.loads(text))
    except NoAnswer as fault:
        raise click.UsageError(f"{text!r}: {fault}") from None
    except ValueError:
        return Answer(text)


def _asked(client: SyncClient, run_id: str, input_id: str) -> InputRequest | None:
    try:
        record = client.get_run(run_id)
    except RunNotFound:
        return None

    return next((one for one in record.input_requests if one.input_id == input_id), None)


def _json(source: str) -> object:
    try:
        return json.loads(text_of(source, "--answer-json"))
    except ValueError as fault:
        raise click.UsageError(f"--answer-json: no JSON: {one_line(str(fault))}") from fault

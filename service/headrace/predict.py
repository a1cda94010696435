"""Predict: one signature, one LM call, one Prediction; the leaf every program is made of."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from headrace.adapters import Adapter, adapter_in_use
from headrace.calls import FieldWriter, current_call, current_run
from headrace.errors import LMNotConfiguredError, UsageError
from headrace.lm.base import BaseLM
from headrace.module import Predictor
from headrace.settings import settings
from headrace.signatures import Field, Signature, ensure_signature
from headrace.values import Example, Prediction

logger = logging.getLogger("headrace.predict")

PER_CALL = ("signature", "demos", "config", "lm")
"""Names a call may override, unless the signature has an input of that name."""

ALL_BUT_ONE_ANSWER = 0.15
"""Up to this temperature several completions are about equal."""
SEVERAL_NEED_TEMPERATURE = 0.7
"""Sent with n > 1 in such a temperature's place: equal completions would be of no use."""


@dataclass(frozen=True, slots=True)
class _Ask:
    """One call of a predictor with everything settled."""

    signature: type[Signature]
    inputs: dict[str, Any]
    demos: Sequence[Any]
    lm: BaseLM
    adapter: Adapter
    options: dict[str, Any]

    async def answer(self, writer: FieldWriter | None) -> list[dict[str, Any]]:
        """The output values, one dict per completion."""
        options = await _varied(self.options, self.lm)

        return await self.adapter.acall(
            self.lm, options, self.signature, self.demos, self.inputs, writer
        )


class Predict(Predictor):
    """Asks an LM for the output fields of a signature, given its input fields.

    A call takes the inputs by name, and may override `signature`, `demos`, `config` and `lm`.
    `config` holds LM options (temperature, max_tokens, n …) for every call.
    """

    async def aforward(self, /, *args: Any, **kwargs: Any) -> Prediction:
        """Prompts, streams the answer's fields into the run, and gives the Prediction.

        Raises LMError for whatever goes wrong with the LM, AdapterParseError for an answer that
        does not fit the signature.
        """
        refuse_positional(args, self.signature)
        ask = self._settle(kwargs)

        return Prediction.from_completions(await self._generate(ask), ask.signature)

    async def _generate(self, ask: _Ask) -> list[dict[str, Any]]:
        run, call = current_run(), current_call()

        if run is None or call is None:
            return await ask.answer(None)

        fields = ask.signature.output_fields.items()
        typed = {name for name, field in fields if not field.streams_text}

        with run.fields(self._address(), call.call_id, typed) as writer:
            return await ask.answer(writer)

    def _settle(self, kwargs: Mapping[str, Any]) -> _Ask:
        given = dict(kwargs)
        inputs_named = self.signature.input_fields
        overrides = {
            name: given.pop(name) for name in PER_CALL if name in given and name not in inputs_named
        }
        signature = ensure_signature(overrides.get("signature") or self.signature)
        demos = overrides.get("demos")

        return _Ask(
            signature,
            _inputs(signature, given),
            _demos(self.demos if demos is None else demos),
            _lm(overrides.get("lm") or self.lm or settings.lm),
            adapter_in_use(),
            _options(self.config, overrides.get("config") or {}),
        )


def refuse_positional(args: Sequence[Any], signature: type[Signature]) -> None:
    """Raises UsageError if there are any, naming the inputs."""
    if args:
        names = ", ".join(f"{name}=…" for name in signature.input_fields)
        raise UsageError(f"a predictor takes its inputs by name: {names}")


def _lm(lm: object) -> BaseLM:
    if isinstance(lm, BaseLM):
        return lm

    if lm is None:
        raise LMNotConfiguredError(
            "no LM is set; call headrace.configure(lm=headrace.LM('openai/gpt-4o-mini'))"
        )

    model = repr(lm) if isinstance(lm, str) else "'openai/gpt-4o-mini'"
    raise UsageError(f"lm must be an LM, not {lm!r}; write lm=headrace.LM({model})")


def _demos(demos: object) -> Sequence[Any]:
    if isinstance(demos, Sequence):
        several = cast("Sequence[object]", demos)

        if all(isinstance(one, Mapping) for one in several):
            return several

    raise UsageError("demos are a list of Examples, or of dicts of fields to values")


def _options(config: Mapping[str, Any], of_the_call: object) -> dict[str, Any]:
    if not isinstance(of_the_call, Mapping):
        raise UsageError(f"config is a dict of LM options, as in {{'n': 3}}, not {of_the_call!r}")

    return {**config, **of_the_call}


async def _varied(options: dict[str, Any], lm: BaseLM) -> dict[str, Any]:
    """The options, with a temperature where several completions would be equal without one.

    A model that takes none but its own is sent none, unless somebody set one: then that is refused.
    """
    settled = {**lm.kwargs, **options}

    for name in ("n", "temperature"):
        if not isinstance(settled.get(name) or 0, int | float):
            raise UsageError(f"{name} is a number, not {settled[name]!r}")

    if (settled.get("n") or 1) <= 1 or (settled.get("temperature") or 0.0) > ALL_BUT_ONE_ANSWER:
        return options

    warmer = {**options, "temperature": SEVERAL_NEED_TEMPERATURE}

    return warmer if await lm.takes(**warmer) else options


def _inputs(signature: type[Signature], given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs the prompt is written from; what does not fit is said in the log, not refused."""
    fields = signature.input_fields
    unknown = [name for name in given if name not in fields]
    missing = [name for name, one in fields.items() if name not in given and one.required]

    if unknown:
        logger.warning("ignored inputs %s: the signature has %s", unknown, list(fields))

    if missing:
        logger.warning("inputs %s are missing of %s", missing, list(fields))

    inputs = {name: one.default_value() for name, one in fields.items() if not one.required}
    inputs.update((name, value) for name, value in given.items() if name in fields)

    if settings.warn_on_type_mismatch:
        _warn_of_mismatches(signature, inputs)

    return inputs


def _warn_of_mismatches(signature: type[Signature], inputs: Mapping[str, Any]) -> None:
    for name, value in inputs.items():
        field = signature.input_fields[name]

        if field.annotated and not isinstance(value, Example) and not _fits(field, value):
            logger.warning("input %s is a %s, not %s", name, type(value).__name__, field.type_text)


def _fits(field: Field, value: object) -> bool:
    try:
        field.validate(value)
    except ValidationError:
        return False

    return True

"""Questions: what a run asks of people, how answers are read, and which questions are open."""

from headrace.questions.answer import Answer, Read, Reply, same
from headrace.questions.questions import (
    Desk,
    Question,
    Questions,
    demand_repeat,
    new_input_id,
    not_asked,
)
from headrace.questions.stand_in import StandIn, stand_in

__all__ = [
    "Answer",
    "Desk",
    "Question",
    "Questions",
    "Read",
    "Reply",
    "StandIn",
    "demand_repeat",
    "new_input_id",
    "not_asked",
    "same",
    "stand_in",
]

"""Examples, predictions and completions."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from datetime import date

import pytest
from headrace.errors import OutputUnserialisable, UsageError
from headrace.values import Completions, Example, Prediction


def test_values_are_read_as_items_and_as_attributes() -> None:
    example = Example(question="why?", answer="because")

    assert (example["question"], example.answer) == ("why?", "because")
    assert (example.get("answer"), example.get("score", 0)) == ("because", 0)
    assert list(example.keys()) == ["question", "answer"]
    assert list(example.values()) == ["why?", "because"]
    assert dict(example.items()) == dict(example) == {"question": "why?", "answer": "because"}
    assert ("answer" in example, "score" in example, len(example)) == (True, False, 2)
    assert isinstance(example, Mapping)


def test_values_are_set_and_deleted_either_way() -> None:
    example = Example(a=1, b=2)
    example.a = 3
    example["c"] = 4
    del example.b
    example["d"] = 5
    del example["d"]

    assert dict(example) == {"a": 3, "c": 4}


def test_an_absent_value_is_named_with_those_there_are() -> None:
    with pytest.raises(AttributeError, match="Prediction has no 'anser'; it has answer, score"):
        _ = Prediction(answer="x", score=1).anser

    with pytest.raises(AttributeError, match="Example has no 'a'"):
        del Example().a

    with pytest.raises(KeyError):
        _ = Example()["a"]

    assert not hasattr(Prediction(answer="x"), "evidence")


def test_a_value_may_have_the_name_of_a_method() -> None:
    example = Example(items=[1], keys="k", base="b", self="s")

    assert example["items"] == [1]
    assert dict(example.items()) == {"items": [1], "keys": "k", "base": "b", "self": "s"}
    assert Example({"base": "b"}) == {"base": "b"}


def test_an_example_is_made_from_another_or_a_mapping() -> None:
    base = Example(question="why?", answer="because").with_inputs("question")
    example = Example(base, answer="so", score=1)

    assert dict(example) == {"question": "why?", "answer": "so", "score": 1}
    assert dict(example.inputs()) == {"question": "why?"}
    assert dict(base) == {"question": "why?", "answer": "because"}
    assert dict(Example({"a": 1})) == {"a": 1}


def test_inputs_and_labels_part_the_values() -> None:
    example = Example(question="why?", context="…", answer="because").with_inputs(
        "question", "context"
    )

    assert dict(example.inputs()) == {"question": "why?", "context": "…"}
    assert dict(example.labels()) == {"answer": "because"}
    assert type(example.inputs()) is Example


def test_inputs_have_to_be_marked_first() -> None:
    with pytest.raises(UsageError, match=r"example\.with_inputs\('question'\)"):
        Example(question="why?").inputs()


def test_copies_leave_the_original_as_it_is() -> None:
    example = Example(a=1, b=[2])
    changed = example.copy(a=3, c=4)
    less = example.without("b", "x")
    marked = example.with_inputs("a")

    assert (dict(changed), dict(less)) == ({"a": 3, "b": [2], "c": 4}, {"a": 1})
    assert dict(marked.inputs()) == {"a": 1}
    assert dict(example) == {"a": 1, "b": [2]}

    with pytest.raises(UsageError):
        example.labels()


def test_examples_are_equal_by_their_values() -> None:
    assert Example(a=1) == Example(a=1) == {"a": 1}
    assert Example(a=1) != Example(a=2)
    assert Prediction(a=1) == Example(a=1)


@pytest.mark.parametrize("value", [Example(a=[1]).with_inputs("a"), Prediction(a=[1])])
def test_they_can_be_copied_deeply_and_pickled(value: Example) -> None:
    deep = copy.deepcopy(value)
    deep.a.append(2)
    pickled = pickle.loads(pickle.dumps(value))

    assert value == {"a": [1]}
    assert deep == {"a": [1, 2]}
    assert (pickled, type(pickled)) == (value, type(value))


def test_a_prediction_is_printed_one_value_a_line() -> None:
    assert repr(Prediction(answer="x")) == "Prediction(\n    answer='x'\n)"
    assert str(Prediction(answer="it's", score="N/A")) == (
        "Prediction(\n    answer=\"it's\",\n    score='N/A'\n)"
    )
    assert repr(Prediction()) == "Prediction()"
    assert repr(Example(a=1, b="x")) == "Example(a=1, b='x')"


def test_to_dict_is_json_safe_and_names_what_is_not() -> None:
    assert Prediction(when=date(2024, 2, 29), tags={"b", "a"}).toDict() == {
        "when": "2024-02-29",
        "tags": ["a", "b"],
    }
    assert dict(Prediction(when=date(2024, 2, 29))) == {"when": date(2024, 2, 29)}

    with pytest.raises(OutputUnserialisable, match=r"prediction\.steps\[1\]\.call has no JSON"):
        Prediction(steps=[{}, {"call": print}]).toDict()


# Completions


def three() -> Prediction:
    return Prediction.from_completions(
        [{"answer": "a", "score": 1}, {"answer": "b", "score": 3}, {"answer": "c", "score": 2}]
    )


def test_a_prediction_holds_the_first_of_its_completions() -> None:
    assert dict(three()) == {"answer": "a", "score": 1}
    assert len(three().completions) == 3


def test_completions_are_read_by_number_and_by_field() -> None:
    completions = three().completions

    assert completions[1] == Prediction(answer="b", score=3)
    assert completions[-1].answer == "c"
    assert completions["answer"] == completions.answer == ["a", "b", "c"]
    assert [one.score for one in completions] == [1, 3, 2]
    assert completions.keys() == ["answer", "score"]
    assert completions.items() == [("answer", ["a", "b", "c"]), ("score", [1, 3, 2])]
    assert repr(completions) == (
        "Completions(\n    answer=['a', 'b', 'c'],\n    score=[1, 3, 2]\n)"
    )


def test_completions_are_also_made_from_the_values_of_each_field() -> None:
    columns: dict[str, list[object]] = {"answer": ["a", "b", "c"], "score": [1, 3, 2]}

    assert list(Prediction.from_completions(columns).completions) == list(three().completions)

    with pytest.raises(UsageError, match="different numbers of values"):
        Prediction.from_completions({"answer": ["a", "b"], "score": [1]})


def test_what_completions_lack_is_named() -> None:
    with pytest.raises(AttributeError, match="no completion has a field 'anser'"):
        _ = three().completions.anser

    with pytest.raises(IndexError):
        _ = three().completions[3]

    with pytest.raises(UsageError, match="no completions"):
        Prediction.from_completions([])


def test_a_prediction_of_no_call_is_its_only_completion() -> None:
    prediction = Prediction(answer="x")

    assert list(prediction.completions) == [prediction]
    assert isinstance(prediction.completions, Completions)


def test_copies_of_a_prediction_keep_its_completions_and_usage() -> None:
    prediction = three()
    prediction.set_lm_usage({"m": {"prompt_tokens": 3}})
    twin = copy.deepcopy(prediction).copy(answer="z")

    assert twin.completions.answer == ["a", "b", "c"]
    assert twin.get_lm_usage() == {"m": {"prompt_tokens": 3}}
    assert Prediction(a=1).get_lm_usage() is None


# Scores


def test_predictions_count_by_their_score() -> None:
    one, two = Prediction(score=1), Prediction(score=2.5)

    assert float(two) == 2.5
    assert (one + two, one + 1, 1 + one, sum([one, two])) == (3.5, 2.0, 2.0, 3.5)
    assert (two - one, two - 1, 3 - two) == (1.5, 1.5, 0.5)
    assert (two * one, two * 2, 2 * two) == (2.5, 5.0, 5.0)
    assert (two / one, two / 2, 5 / two) == (2.5, 1.25, 2.0)
    assert (one < two, one <= 1, two > one, two >= 3) == (True, True, True, False)
    assert max(three().completions).answer == "b"


def test_a_prediction_without_a_score_does_not_count() -> None:
    with pytest.raises(UsageError, match="no field 'score'"):
        float(Prediction(answer="x"))

"""The schema of submissions is the rule by which they are checked."""

import copy
import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agents.benchmark.results import FORMAT, Point, Result
from agents.benchmark.schema import SCHEMA, SchemaError, check, read_schema
from agents.benchmark.submission import Submission
from memory_envs.scoring.result import EvaluationResult

_OTHERS: tuple[Any, ...] = (None, True, 0, -1, 1.0, 1.5, "", " ", "word", [], {}, [1], {"x": 1})


def _names(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_the_schema_names_the_fields_that_are_written() -> None:
    kinds = read_schema()["$defs"]
    for name, found in (
        ("submission", _names(Submission) | {"format"}),
        ("result", _names(Result) | {"format"}),
        ("point", _names(Point)),
    ):
        assert set(kinds[name]["properties"]) == set(kinds[name]["required"]) == found
    assert set(kinds["evaluation"]["required"]) < set(kinds["evaluation"]["properties"])
    assert set(kinds["evaluation"]["properties"]) < _names(EvaluationResult)
    assert kinds["format"] == {"const": FORMAT}


def _submission(result: Result) -> dict[str, Any]:
    names = ("agent", "authors", "code", "about")
    data = {"format": FORMAT, **dict.fromkeys(names, "some text"), "results": [result.to_dict()]}
    plain: dict[str, Any] = json.loads(json.dumps(data))
    return plain


def _places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything in an object."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*path, key))


def _changed(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same with something missing, something more, and something of another kind."""
    for path in _places(data):
        for number in range(len(_OTHERS) + 2):
            other = copy.deepcopy(data)
            inner: Any = other
            for key in path[:-1]:
                inner = inner[key]
            if number < len(_OTHERS):
                inner[path[-1]] = _OTHERS[number]
            elif number == len(_OTHERS):
                del inner[path[-1]]
            elif isinstance(inner, dict):
                inner["more"] = 1
            yield other


def _is_refused(data: Any) -> bool:
    try:
        check(data, "submission")
    except SchemaError:
        return True
    return False


def test_it_is_a_json_schema_and_means_what_is_checked(make_result: Callable[..., Result]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(read_schema())
    validator = jsonschema.Draft202012Validator(read_schema())
    data = _submission(make_result("a", "t", 0, 0.5))
    cases = list(_changed(data))
    assert len(cases) > 300
    for case in cases:
        assert _is_refused(case) != validator.is_valid(case), case


def test_what_is_written_is_allowed_and_what_is_changed_is_mostly_not(
    make_result: Callable[..., Result],
) -> None:
    data = _submission(make_result("a", "t", 0, 0.5))
    check(data, "submission")
    refused = [_is_refused(case) for case in _changed(data)]
    assert 0.5 < sum(refused) / len(refused) < 1
    with pytest.raises(SchemaError, match="it is 3; allowed: an object"):
        check(3, "submission")
    data["results"][0]["evaluation"]["success"] = "all"
    message = "result 1: evaluation.success is 'all'; allowed: a number or null"
    with pytest.raises(SchemaError, match=message):
        check(data, "submission")


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("seed",), True, "result 1: seed is True; allowed: an integer"),
        (("seed",), 1.5, "result 1: seed is 1.5; allowed: an integer"),
        (("seed",), -1, "result 1: seed is -1; allowed: from 0 on"),
        (("minutes",), -0.5, "result 1: minutes is -0.5; allowed: from 0 on"),
        (("format",), True, "result 1: format is True; allowed: 1"),
        (("more",), 1, "result 1: more is unknown; allowed: agent, command, curve"),
        (("curve",), {}, "result 1: curve is {}; allowed: a list"),
        (("curve", 1, "steps"), "7", "result 1: curve 2: steps is '7'; allowed: an integer"),
        (("curve", 1, "x"), 7, "result 1: curve 2: x is unknown; allowed: return_mean, score"),
        (("evaluation", "score"), math.nan, "evaluation.score is nan; allowed: a number or null"),
        (("evaluation", "return_mean"), math.inf, "evaluation.return_mean is inf; allowed: a numb"),
        (("evaluation", "return_mean"), None, "evaluation.return_mean is None; allowed: a number"),
    ],
)
def test_what_is_wrong_is_named(
    path: tuple[Any, ...], value: Any, complaint: str, make_result: Callable[..., Result]
) -> None:
    data = _submission(make_result("a", "t", 0, 0.5))
    inner: Any = data["results"][0]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(SchemaError, match=re.escape(complaint)):
        check(data, "submission")


def test_what_is_missing_is_named_and_what_may_be_is_allowed(
    make_result: Callable[..., Result],
) -> None:
    evaluation = make_result("a", "t", 0, 0.5).evaluation
    for field in evaluation:
        data = _submission(make_result("a", "t", 0, 0.5))
        del data["results"][0]["evaluation"][field]
        with pytest.raises(SchemaError, match=rf"result 1: evaluation\.{field} is missing"):
            check(data, "submission")
    data = _submission(make_result("a", "t", 0, 0.5)) | {"agent": " a\nb"}
    data["results"][0] |= {"seed": 2.0, "minutes": 0, "curve": []}
    data["results"][0]["evaluation"] |= {"more": "words", "score": None}
    check(data, "submission")
    with pytest.raises(SchemaError, match="results is \\[\\]; allowed: a list of 1 at least"):
        check(data | {"results": []}, "submission")


@pytest.mark.parametrize(
    ("word", "asked"), [("maxLength", 3), ("additionalProperties", {"type": "string"})]
)
def test_a_word_that_is_not_checked_is_refused(
    word: str, asked: Any, make_result: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(read_schema()["$defs"]["text"], word, asked)
    with pytest.raises(NotImplementedError, match=rf"{SCHEMA.name}: {word}; known: "):
        check(_submission(make_result("a", "t", 0, 0.5)), "submission")

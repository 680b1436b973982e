"""The schema of submissions is the rule by which they are checked."""

import copy
import dataclasses
import json
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


def test_a_word_that_is_not_checked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(read_schema()["$defs"]["text"], "maxLength", 3)
    with pytest.raises(NotImplementedError, match=rf"{SCHEMA.name}: maxLength"):
        check(
            {"format": FORMAT, "agent": "a"}
            | dict.fromkeys(("authors", "code", "about", "results"), "x"),
            "submission",
        )

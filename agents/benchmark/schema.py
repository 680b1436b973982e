"""What a file of results has to look like: the JSON schema that comes with the package.

The schema is the rule: files are checked by it here, and by whatever else reads JSON schemas. Of
the language only the words are known that it uses; others are refused, so that the schema cannot
say what is not checked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).with_name("submission.schema.json")
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "object": ((dict,), "an object"),
    "array": ((list,), "a list"),
    "string": ((str,), "a string"),
    "integer": ((int, float), "an integer"),
    "number": ((int, float), "a number"),
    "null": ((type(None),), "null"),
}
_SAID = {"$schema", "$defs", "title", "description"}  # words that ask for nothing
_ASKED = {
    *("$ref", "type", "const", "required", "properties", "additionalProperties"),
    *("items", "minItems", "minimum", "pattern"),
}


class SchemaError(ValueError):
    """Something is not as the schema says; names the field, its value and what is allowed."""


@lru_cache(maxsize=1)
def read_schema() -> dict[str, Any]:
    """Returns the schema; the caller leaves it as it is."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return found


def check(data: Any, kind: str) -> None:
    """Checks what was read from JSON.

    Args:
        data: What was read.
        kind: What it shall be, "submission" or "result".

    Raises:
        SchemaError: Naming the first field that is missing, unknown or of another kind.
    """
    _check(data, {"$ref": f"#/$defs/{kind}"}, "")


def _check(value: Any, schema: Mapping[str, Any], name: str) -> None:
    unknown = schema.keys() - _SAID - _ASKED
    if unknown:
        raise NotImplementedError(f"{SCHEMA.name}: {sorted(unknown)[0]}; known: {sorted(_ASKED)}")
    if schema.get("additionalProperties", False) is not False:
        raise NotImplementedError(f"{SCHEMA.name}: additionalProperties; known: false alone")
    if "$ref" in schema:
        _check(value, read_schema()["$defs"][schema["$ref"].removeprefix("#/$defs/")], name)
    if "const" in schema and (value != schema["const"] or isinstance(value, bool)):
        raise _error(name, value, str(schema["const"]))
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(_is_a(value, one) for one in types):
            raise _error(name, value, " or ".join(_TYPES[one][1] for one in types))
    if "minimum" in schema and value < schema["minimum"]:
        raise _error(name, value, f"from {schema['minimum']} on")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise _error(name, value, "some text" if schema["pattern"] == r"\S" else schema["pattern"])
    if isinstance(value, dict):
        _check_fields(value, schema, name)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            raise _error(name, value, f"a list of {schema['minItems']} at least")
        for number, item in enumerate(value, start=1):
            _check(item, schema.get("items", {}), f"{name.removesuffix('s')} {number}")


def _check_fields(value: Mapping[str, Any], schema: Mapping[str, Any], name: str) -> None:
    fields = schema.get("properties", {})
    # What the format is comes first: of another one, all else may be otherwise.
    for field in sorted(schema.get("required", ()), key=lambda field: (field != "format", field)):
        if field not in value:
            raise SchemaError(f"{_inside(name, field)} is missing")
        if field == "format":
            _check(value[field], fields[field], _inside(name, field))
    for field, item in value.items():
        if field in fields:
            _check(item, fields[field], _inside(name, field))
        elif "additionalProperties" in schema:
            allowed = ", ".join(sorted(fields))
            raise SchemaError(f"{_inside(name, field)} is unknown; allowed: {allowed}")


def _inside(name: str, field: str) -> str:
    separator = ": " if name[-1:].isdigit() else "."
    return f"{name}{separator}{field}" if name else field


def _is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, _TYPES[kind][0]):
        return False
    if isinstance(value, float):  # JSON has neither infinity nor NaN, but Python reads them
        return math.isfinite(value) and (kind == "number" or value.is_integer())
    return True


def _error(name: str, value: Any, allowed: str) -> SchemaError:
    return SchemaError(f"{name or 'it'} is {value!r}; allowed: {allowed}")

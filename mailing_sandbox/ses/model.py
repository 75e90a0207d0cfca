"""Requests and answers held against botocore's model of SES v2. Import it late: botocore takes its time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

import msgspec
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from mailing_sandbox.ses.refusal import Refusal, constraint, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mailing_sandbox.provider import Call

WORDS = {
    "string": "a String",
    "boolean": "a Boolean",
    "integer": "an Integer",
    "double": "a Double",
    "timestamp": "a Timestamp",
    "list": "a list",
    "map": "a map",
    "structure": "a structure",
}


class Model:
    """The service model: which members an operation takes and gives, and of what type."""

    def __init__(self) -> None:
        loader = Loader()
        self._service = ServiceModel(loader.load_service_model("sesv2", "service-2"), "sesv2")
        self._renderers: dict[tuple[str, bool], Callable[[Any], Any] | None] = {}
        self.regions = frozenset(
            region
            for partition in loader.load_data("endpoints")["partitions"]
            for region in partition["services"].get("email", {}).get("endpoints", {})
            if not region.startswith("fips-")
        )

    def read(self, operation: str, call: Call, path: Mapping[str, str]) -> dict[str, Any]:
        """Gather the members of a request from path, query and body, each of its modelled type.

        Unknown members are omitted. Refusal: SerializationException for a wrong JSON type,
        BadRequestException naming every violated constraint.
        """
        shape = self._service.operation_model(operation).input_shape
        body = self._body(call)
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(call.raw_query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            place = member.serialization.get("location")
            wire = member.serialization.get("name", name)
            if place == "uri":
                found[name] = path[wire]
            elif place == "querystring":
                if wire in query:
                    found[name] = _from_text(member, query[wire])
            elif body.get(name) is not None:
                found[name] = _typed(member, body[name])
        violations = list(_violations(shape, found, ""))
        if violations:
            raise invalid(*violations)
        return found

    @staticmethod
    def _body(call: Call) -> dict[str, Any]:
        if not call.body or call.method in ("GET", "DELETE"):
            return {}
        try:
            body = msgspec.json.decode(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refusal("SerializationException", "The request body is not valid JSON") from error
        if not isinstance(body, dict):
            raise Refusal("SerializationException", "Start of structure or map found where not expected.")
        return body

    def render(self, operation: str, result: Mapping[str, Any], *, iso: bool) -> dict[str, Any]:
        """Return an answer with modelled members only, None omitted, times encoded."""
        name = (operation, iso)
        if name not in self._renderers:
            shape = self._service.operation_model(operation).output_shape
            self._renderers[name] = None if shape is None else _renderer(shape, iso)
        encode = self._renderers[name]
        return {} if encode is None else cast("dict[str, Any]", encode(result))


@cache
def model() -> Model:
    """Return the model; it is read from its file once in a process."""
    return Model()


def _refused(value: object, shape: Shape) -> Refusal:
    kind = {str: "STRING_VALUE", bool: "TRUE_VALUE", list: "START_ARRAY", dict: "START_OBJECT"}
    found = kind.get(type(value), "NUMBER_VALUE")
    return Refusal("SerializationException", f"{found} can not be converted to {WORDS[shape.type_name]}")


def _typed(shape: Shape, value: Any) -> Any:
    """Check the JSON type of a value, all the way down; None members are omitted."""
    fits = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "double": isinstance(value, int | float) and not isinstance(value, bool),
        "timestamp": isinstance(value, int | float) and not isinstance(value, bool),
        "list": isinstance(value, list),
        "map": isinstance(value, dict),
        "structure": isinstance(value, dict),
    }
    if not fits[shape.type_name]:
        raise _refused(value, shape)
    if shape.type_name == "structure":
        members = shape.members.items()
        return {name: _typed(member, value[name]) for name, member in members if value.get(name) is not None}
    if shape.type_name == "list":
        return [_typed(shape.member, each) for each in value if each is not None]
    if shape.type_name == "map":
        return {name: _typed(shape.value, each) for name, each in value.items() if each is not None}
    return value


def _from_text(shape: Shape, values: list[str]) -> Any:
    """Convert the values of a query parameter."""
    if shape.type_name == "list":
        return [_from_text(shape.member, [value]) for value in values]
    text = values[0]
    try:
        if shape.type_name == "integer":
            return int(text)
        if shape.type_name == "timestamp":
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except ValueError as error:
        raise _refused(text, shape) from error
    return text


def _violations(shape: Shape, value: Any, path: str) -> Iterable[str]:  # noqa: C901 - one branch for each type
    """Name every violated constraint of a value of the right type."""
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                yield constraint("null", _joined(path, name), "not be null")
        for name, each in value.items():
            yield from _violations(shape.members[name], each, _joined(path, name))
    elif shape.type_name == "list":
        yield from _bounded(shape, len(value), str(value), path)
        for place, each in enumerate(value, 1):
            yield from _violations(shape.member, each, f"{path}.{place}.member")
    elif shape.type_name == "map":
        yield from _bounded(shape, len(value), str(value), path)
        for name, each in value.items():
            yield from _violations(shape.key, name, path)
            yield from _violations(shape.value, each, f"{path}.{name}")
    elif shape.type_name == "string":
        yield from _bounded(shape, len(value), f"'{value}'", path)
        yield from _worded(shape, value, path)
    elif shape.type_name == "integer":
        yield from _bounded(shape, value, f"'{value}'", path)


def _worded(shape: Shape, value: str, path: str) -> Iterable[str]:
    if shape.enum and value not in shape.enum:
        yield constraint(f"'{value}'", path, f"satisfy enum value set: [{', '.join(shape.enum)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and re.search(pattern, value) is None:
        yield constraint(f"'{value}'", path, f"satisfy regular expression pattern: {pattern}")


def _bounded(shape: Shape, size: int, shown: str, path: str) -> Iterable[str]:
    what = "value" if shape.type_name == "integer" else "length"
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield constraint(shown, path, f"have {what} greater than or equal to {low}")
    if high is not None and size > high:
        yield constraint(shown, path, f"have {what} less than or equal to {high}")


def _joined(path: str, name: str) -> str:
    """Return a member's path as AWS spells it: first letters lower-cased."""
    spelled = name[0].lower() + name[1:]
    return f"{path}.{spelled}" if path else spelled


def _renderer(shape: Shape, iso: bool) -> Callable[[Any], Any] | None:
    """Return what encodes values of a shape, built once since pages are long; None where they stay as they are."""
    if shape.type_name == "structure":
        members = [(name, _renderer(member, iso)) for name, member in shape.members.items()]

        def structure(value: Mapping[str, Any]) -> dict[str, Any]:
            found = {}
            for name, encode in members:
                each = value.get(name)
                if each is not None:
                    found[name] = each if encode is None else encode(each)
            return found

        return structure
    if shape.type_name == "list":
        inner = _renderer(shape.member, iso)
        return None if inner is None else lambda value: [inner(each) for each in value]
    if shape.type_name == "timestamp":
        return _iso if iso else lambda value: round(value, 3)
    return None


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

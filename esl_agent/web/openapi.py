"""The OpenAPI 3.1 document, made from the endpoints themselves."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import falcon
import msgspec

from esl_agent import __version__
from esl_agent.web import idempotency
from esl_agent.web.endpoints import BASE, Endpoint
from esl_agent.web.gate import Access
from esl_agent.web.problems import PROBLEM_TYPE, Problem

_SCHEMAS: Final = "#/components/schemas/{name}"
_TITLE: Final = "esl-agent"
_DESCRIPTION: Final = (
    "Prepaid call control and rating beside FreeSWITCH: accounts, calls that are up, CDRs. "
    "Amounts are decimal text in the account's currency, times ISO 8601."
)

#: Problems that any request may meet.
COMMON: Final = {
    HTTPStatus.UNAUTHORIZED: "A token is needed, or this one is not in force.",
    HTTPStatus.FORBIDDEN: "The token's role may not do this, or another site's page sent it.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The request's first line is too long.",
    HTTPStatus.MISDIRECTED_REQUEST: "The Host header names somebody else.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something that was given is not as it has to be; `where` says what.",
    HTTPStatus.TOO_MANY_REQUESTS: "More requests a second than are allowed.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away, too slow, or refuses.",
}
#: And those that bring a body.
OF_BODIES: Final = {
    HTTPStatus.BAD_REQUEST: "The body is not JSON.",
    HTTPStatus.CONFLICT: "The Idempotency-Key stands for another request.",
    HTTPStatus.LENGTH_REQUIRED: "The body came in chunks.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not application/json.",
}


def document(endpoints: tuple[Endpoint[Any], ...]) -> dict[str, Any]:
    """The whole document, as JSON takes it."""
    kinds: list[Any] = [Problem, *(each.answer for each in endpoints), *(each.asked for each in endpoints)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS)
    refs = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        asked = components[_name(refs[endpoint.asked])]
        paths.setdefault(BASE + endpoint.path, {})[endpoint.method.lower()] = _operation(
            endpoint, asked, refs
        )
    spelt_out = {_name(refs[each.asked]) for each in endpoints}  # as parameters and bodies
    kept = {name: schema for name, schema in components.items() if name not in spelt_out}
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": __version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": kept,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _name(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _operation(endpoint: Endpoint[Any], asked: Mapping[str, Any], refs: Mapping[Any, Any]) -> dict[str, Any]:
    fields, required = asked["properties"], set(asked["required"])
    in_path = endpoint.path_fields
    others = {name: schema for name, schema in fields.items() if name not in in_path}
    parameters = [_parameter(name, fields[name], "path", is_required=True) for name in in_path]
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": _who(endpoint.access),
        "security": [{"token": []}] if endpoint.access is not Access.READ else [{"token": []}, {}],
        "parameters": parameters,
        "responses": _responses(endpoint, refs),
    }
    if endpoint.changes:
        parameters.append(_idempotency_key())
        body = {
            "type": "object",
            "properties": others,
            "required": sorted(required & others.keys()),
            "additionalProperties": False,
        }
        operation["requestBody"] = {"required": True, "content": {falcon.MEDIA_JSON: {"schema": body}}}
    else:
        parameters += [
            _parameter(name, schema, "query", is_required=name in required) for name, schema in others.items()
        ]
    return operation


def _who(access: Access) -> str:
    roles = ", ".join(sorted(access.value))
    anonymous = ", or without a token on the agent's own machine (numbers masked)"
    return f"Roles: {roles}{anonymous if access is Access.READ else ''}."


def _parameter(name: str, schema: Mapping[str, Any], place: str, *, is_required: bool) -> dict[str, Any]:
    """A parameter that is left out is null: as text there is no null."""
    plain = dict(schema)
    choices = [each for each in plain.pop("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        plain = choices[0] | plain
    if plain.get("default", ...) is None:
        del plain["default"]
    described = {"description": plain.pop("description")} if "description" in plain else {}
    return {"name": name, "in": place, "required": is_required, "schema": plain} | described


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": idempotency.HEADER,
        "in": "header",
        "required": False,
        "description": "Sent again with it, the same request changes nothing and is answered as before.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": idempotency.KEY_CHARACTERS_MAX,
            "pattern": f"^{idempotency.KEY_PATTERN}$",
        },
    }


def _responses(endpoint: Endpoint[Any], refs: Mapping[Any, Any]) -> dict[str, Any]:
    problems = COMMON | (OF_BODIES if endpoint.changes else {}) | dict(endpoint.problems)
    answer = {
        "description": endpoint.status.phrase,
        "content": {falcon.MEDIA_JSON: {"schema": refs[endpoint.answer]}},
    }
    return {str(int(endpoint.status)): answer} | {
        str(int(status)): {
            "description": meaning,
            "content": {PROBLEM_TYPE: {"schema": refs[Problem]}},
        }
        for status, meaning in sorted(problems.items())
    }

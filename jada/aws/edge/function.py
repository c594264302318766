"""The viewer-request function, run in QuickJS under CloudFront's limits of memory and time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import quickjs

from jada.aws.edge.answers import Answer

MEMORY: Final = 2 * 1024 * 1024  # bytes
SECONDS: Final = 1
_CALL: Final = "(text) => JSON.stringify(handler(JSON.parse(text)))"


@dataclass(frozen=True)
class Viewed:
    """A request as the function sees it, and as it passes it on: the path is not decoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def run(code: str, viewed: Viewed) -> Viewed | Answer:
    """Answer the request to go on with, or the answer the function gave by itself; 503 if it breaks."""
    context = quickjs.Context()
    context.set_memory_limit(MEMORY)
    context.set_time_limit(SECONDS)
    try:
        context.eval(code)
        result = json.loads(context.eval(_CALL)(json.dumps(_event(viewed))))
    except quickjs.JSException:
        return Answer(503, {"x-cache": "FunctionExecutionError from cloudfront"}, b"")
    if "statusCode" in result:
        headers = {name: each["value"] for name, each in result.get("headers", {}).items()}
        return Answer(result["statusCode"], headers, b"")
    return Viewed(viewed.method, result["uri"], _query(result["querystring"]), viewed.headers)


def _event(viewed: Viewed) -> dict[str, Any]:
    return {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "viewer": {"ip": "127.0.0.1"},
        "request": {
            "method": viewed.method,
            "uri": viewed.path,
            "querystring": _arguments(viewed.query),
            "headers": {name: {"value": value} for name, value in viewed.headers.items()},
            "cookies": {},
        },
    }


def _arguments(query: str) -> dict[str, Any]:
    """CloudFront's shape: the last value of a name, and all of them where there are several."""
    arguments: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        earlier = arguments.get(name)
        every = [*(earlier.get("multiValue", [{"value": earlier["value"]}]) if earlier else []), {"value": value}]
        arguments[name] = {"value": value, "multiValue": every} if earlier else {"value": value}
    return arguments


def _query(arguments: Mapping[str, Any]) -> str:
    pairs = [(name, one["value"]) for name, each in arguments.items() for one in each.get("multiValue", [{**each}])]
    return urlencode(pairs)

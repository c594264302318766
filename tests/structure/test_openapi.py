"""Other systems build against the schema: it changes on purpose, and the change is seen in review."""

from __future__ import annotations

import json

from jada.api import api
from tests.structure.source import ROOT

SNAPSHOT = ROOT / "tests" / "structure" / "openapi.json"


def test_the_schema_is_the_one_that_was_agreed() -> None:
    """Write it anew, when the change is meant: `make openapi`."""
    assert json.loads(json.dumps(api.get_openapi_schema())) == json.loads(SNAPSHOT.read_text())


def test_no_answer_has_a_field_for_money() -> None:
    schemas = api.get_openapi_schema()["components"]["schemas"]
    answered = {ref["$ref"].rsplit("/", 1)[-1] for ref in references(api.get_openapi_schema()["paths"], "responses")}
    money = {"gross", "fees", "payout", "price", "amount", "net", "commission", "margin", "guest_price"}

    assert {f"{n}.{field}" for n in answered for field in schemas[n].get("properties", {}) if field in money} == set()


def references(node: object, below: str, *, inside: bool = False) -> list[dict[str, str]]:
    """Every {"$ref": …} that stands below a key of this name."""
    if isinstance(node, list):
        return [found for child in node for found in references(child, below, inside=inside)]
    if not isinstance(node, dict):
        return []
    here = [node] if inside and "$ref" in node else []
    return here + [f for key, child in node.items() for f in references(child, below, inside=inside or key == below)]

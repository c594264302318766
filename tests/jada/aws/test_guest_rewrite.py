"""The edge function by itself, and the runtime it has to fit."""

import re
from datetime import UTC, datetime

import pytest
from django.conf import settings

from guests import codes
from jada.aws.edge.answers import Answer
from jada.aws.edge.function import Viewed, run

CODE = (settings.BASE_DIR / "infra" / "guest_rewrite.js").read_text()


def rewritten(path: str, query: str = "") -> Viewed:
    viewed = run(CODE, Viewed("GET", path, query, {"host": "queenofsandiego.com"}))
    assert isinstance(viewed, Viewed)  # it never answers by itself, so it cannot redirect
    return viewed


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/g/XHQGMDH", "/g/xhqgmdh.html"),
        ("/g/xhqgmdh/", "/g/xhqgmdh.html"),
        ("/g/XhQgMdH", "/g/xhqgmdh.html"),
        ("/g/7ZK9M2QX4T", "/g/7zk9m2qx4t.html"),
        ("/g/0123456789ABCDEF", "/g/0123456789abcdef.html"),
        ("/g/2026-12-05-maya-sunset", "/g/2026-12-05-maya-sunset.html"),
        ("/g/2026-12-05-Maya-Sunset/", "/g/2026-12-05-maya-sunset.html"),
        ("/g/2026-12-05-maya-sunset-2", "/g/2026-12-05-maya-sunset-2.html"),
    ],
)
def test_a_short_address_becomes_a_flat_key(path: str, key: str) -> None:
    assert rewritten(path).path == key


@pytest.mark.parametrize(
    "path",
    [
        "/g/XHQGMD",  # six characters
        "/g/0123456789ABCDEFG",  # seventeen
        "/g/XHQGMDI",  # I, L, O and U are not in the alphabet
        "/g/xhqgmdo",
        "/g/\u212ahqgmdh",  # the Kelvin sign is no K
        "/g/xhqgmdh.html",
        "/g/xhqgmdh.ics",
        "/g",
        "/g/",
        "/g/a/b",
        "/g/XHQGMDH//",
        "/g/XHQGMDH\n",
        "/g/%58HQGMDH",
        "/g/XHQGMDH%0a",
        "/G/XHQGMDH",
        "/g/../XHQGMDH",
        "//evil.example/g/XHQGMDH",
        "/x/g/XHQGMDH",
        "/g/2026-12-05",
        "/g/2026-12-05-maya-evening",
        "/g/2026-12-05-maya-sunset-",
        "/a/bricolage.woff2",
        "/",
    ],
)
def test_anything_else_is_passed_on_as_it_came(path: str) -> None:
    assert rewritten(path, "a=1&a=2&b=") == Viewed("GET", path, "a=1&a=2&b=", {"host": "queenofsandiego.com"})


def test_the_query_of_a_guest_page_is_dropped() -> None:
    assert rewritten("/g/XHQGMDH", "utm_source=mail").query == ""


def test_code_and_slug_are_those_of_the_application() -> None:
    patterns = re.findall(r"= /\^\\/g\\/\((.+)\)\\/\?\$/i;", CODE)

    assert patterns == [codes.CODE_PATTERN, codes.SLUG_PATTERN]


def test_finds_every_page_the_application_names() -> None:
    code = codes.new_code()
    slug = codes.slug_for("Jonas", datetime(2026, 11, 7, 13, tzinfo=UTC))

    assert rewritten(codes.printed_path(code)).path == f"/{codes.guest_key(code)}"
    assert rewritten(f"/g/{slug}").path == f"/{codes.slug_key(slug)}"


class TestRuntime:
    """CloudFront's runtime is stricter than the engine used here."""

    def test_the_file_is_small_enough(self) -> None:
        assert len(CODE.encode()) < 10_240

    def test_the_function_has_its_name(self) -> None:
        assert "function handler(event)" in CODE

    @pytest.mark.parametrize(
        "word", ["require", "import ", "eval", "Function(", "setTimeout", "fetch(", "=>", "let ", "`"]
    )
    def test_uses_nothing_the_runtime_lacks(self, word: str) -> None:
        assert word not in CODE

    def test_a_broken_function_shows_as_503(self) -> None:
        answer = run("function handler(event) { return nothing; }", Viewed("GET", "/", "", {}))

        assert isinstance(answer, Answer)
        assert answer.status == 503

    @pytest.mark.slow
    def test_a_function_that_never_ends_is_stopped(self) -> None:
        answer = run("function handler(event) { while (true) {} }", Viewed("GET", "/", "", {}))

        assert isinstance(answer, Answer)
        assert answer.status == 503

    def test_a_function_may_answer_by_itself(self) -> None:
        gone = "function handler(event) { return {statusCode: 410, headers: {'x-why': {value: 'over'}}}; }"

        assert run(gone, Viewed("GET", "/", "", {})) == Answer(410, {"x-why": "over"}, b"")

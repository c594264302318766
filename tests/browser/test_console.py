"""The console in a browser: no error, no finding of axe, at both sizes and in both schemes."""

from typing import Any


def test_the_sign_in_page_opens(page: Any, violations: Any) -> None:
    page.goto("/admin/login/")

    assert violations(page) == []

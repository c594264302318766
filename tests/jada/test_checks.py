"""The application does not start unsafe, and says what to set (I-02)."""

from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from jada import checks
from jada.checks import findings, refuse_unsafe_start


@pytest.fixture(autouse=True)
def _as_in_production(settings: Settings) -> None:
    """The tests' own two deviations are put right, so that each test makes one of its own."""
    settings.AWS_ENDPOINT_URL = ""
    settings.CONSOLE_REQUIRE_OTP = True
    settings.CREW_BASE_URL, settings.GUEST_BASE_URL = "https://sailjada.com", "https://queenofsandiego.com"
    settings.ALLOWED_HOSTS = ["sailjada.com"]


def found() -> set[str | None]:
    return {finding.id for finding in findings()}


def test_a_safe_configuration_has_no_findings() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [
        ("SERVICE_KEY_HASHES", {}, "jada.E001"),
        ("SERVICE_KEY_HASHES", ["k1"], "jada.E001"),
        ("DASHBOARD_TOKEN_HASHES", {}, "jada.E001"),
        ("SERVICE_KEY_HASHES", {"k1": "secret"}, "jada.E002"),
        ("SERVICE_KEY_HASHES", {"k1": "z" * 64}, "jada.E002"),
        ("SERVICE_KEY_HASHES", {"k1": None}, "jada.E002"),
        ("CREW_LINK_ACTIVE_KID", "", "jada.E003"),
        ("CREW_LINK_ACTIVE_KID", "another", "jada.E003"),
        ("CREW_LINK_KEYS", {"cl-test": "c2hvcnQ="}, "jada.E004"),
        ("CREW_LINK_KEYS", {"cl-test": "not base64 at all"}, "jada.E004"),
        ("CREW_LINK_KEYS", {"cl-test": "A" * 44}, "jada.E004"),
        ("CREW_LINK_KEYS", {"cl-test": "é"}, "jada.E004"),
        ("CREW_LINK_KEYS", "cl-test", "jada.E003"),
        ("CREW_LINK_KEYS", 5, "jada.E003"),
        ("SECRET_KEY", "unset", "jada.E005"),
        ("SECRET_KEY", "a" * 80, "jada.E005"),
        ("ALLOWED_HOSTS", ["*"], "jada.E006"),
        ("ALLOWED_HOSTS", ["*.sailjada.com"], "jada.E006"),
        ("ALLOWED_HOSTS", [".com"], "jada.E006"),
        ("ALLOWED_HOSTS", [], "jada.E006"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566", "jada.E007"),
        ("AWS_ENDPOINT_URL", "http://[::1]:4566", "jada.E007"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.2:4566", "jada.E007"),
        ("AWS_ENDPOINT_URL", "http://127.1:4566", "jada.E007"),
        ("AWS_ENDPOINT_URL", "http://0.0.0.0:4566", "jada.E007"),
        ("AWS_ENDPOINT_URL", "http://localhost.:4566", "jada.E007"),
        ("AWS_ENDPOINT_URL", "127.0.0.1:4566", "jada.E007"),
        ("MAILBOX_DIR", "mailbox", "jada.E008"),
        ("CONSOLE_REQUIRE_OTP", False, "jada.E009"),
        ("CREW_BASE_URL", "http://sailjada.com", "jada.E010"),
        ("GUEST_BASE_URL", "queenofsandiego.com", "jada.E010"),
    ],
)
def test_names_what_is_unsafe(settings: Settings, name: str, value: object, finding: str) -> None:
    setattr(settings, name, value)

    assert found() == {finding}


def test_each_finding_names_its_variable(settings: Settings) -> None:
    settings.SERVICE_KEY_HASHES = {}

    (finding,) = findings()

    assert "SERVICE_KEY_HASHES" in finding.msg
    assert "new_key" in str(finding.hint)


def test_a_machine_of_ones_own_may_be_unsafe_but_not_without_keys(settings: Settings) -> None:
    settings.DEBUG = True
    settings.CONSOLE_REQUIRE_OTP, settings.AWS_ENDPOINT_URL = False, "http://127.0.0.1:8002"

    assert found() == set()
    settings.SERVICE_KEY_HASHES = {}
    assert found() == {"jada.E001"}


def test_faults_may_be_ordered_on_a_machine_of_ones_own_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILPOINT", "after_claim:kill:1")

    assert found() == {"jada.E013"}
    settings.DEBUG = True
    assert found() == set()


def test_an_unsafe_process_ends_with_a_sentence_for_each_finding(settings: Settings) -> None:
    settings.SERVICE_KEY_HASHES, settings.CONSOLE_REQUIRE_OTP = {}, False

    with pytest.raises(SystemExit) as ended:
        refuse_unsafe_start()

    assert "SERVICE_KEY_HASHES" in str(ended.value)
    assert "CONSOLE_REQUIRE_OTP" in str(ended.value)


def test_a_safe_process_starts() -> None:
    refuse_unsafe_start()


def test_the_findings_are_part_of_the_systems_checks(settings: Settings) -> None:
    settings.SERVICE_KEY_HASHES = {}

    assert [finding.id for finding in checks.configuration(None)] == ["jada.E001"]

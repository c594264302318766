"""`fake_aws`: the strict fakes for one test, emptied, and everything of ours pointed at them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.rig.client import Rig, running

OURS = ("GUEST_BASE_URL", "GUEST_DISTRIBUTION_ID", "MAIL_EVENTS_QUEUE_URL", "MAIL_EVENTS_TOPIC_ARN")


@pytest.fixture(scope="session")
def fake_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("rig") / "ledger.jsonl") as rig:
        yield rig


@pytest.fixture
def fake_aws(fake_process: Rig, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    from tests.emulator import forget_clients  # boto3 is imported by the tests that need it

    fake_process.reset()
    for name, value in fake_process.environment.items():
        monkeypatch.setenv(name, value)
        if name in OURS:
            setattr(settings, name, value)
    settings.EMAIL_BACKEND = "jada.aws.ses.SesBackend"
    forget_clients()
    yield fake_process
    forget_clients()

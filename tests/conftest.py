"""What every test may ask for: people, keys, a local AWS, the public host behind its edge."""

import threading
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

pytest_plugins = ["tests.emulator", "tests.services", "tests.rig.fixtures"]

SERVICE_KEY = "sjk_k1_" + "s" * 43
DASHBOARD_TOKEN = "sjd_d1_" + "d" * 43


@pytest.fixture
def ops(db: None) -> User:
    """The ops manager: sees everything, money included."""
    return User.objects.create_superuser("ops", "ops@sailjada.com", "correct horse battery")


@pytest.fixture
def stranger(db: None) -> User:
    """Signed in, on the staff of nothing."""
    return User.objects.create_user("stranger", "stranger@example.com", "correct horse battery")


@pytest.fixture
def brand(stack: dict[str, str], settings: Settings) -> Iterator[str]:
    """The public host, answered by the deployed distribution; mail leaves through SES."""
    from jada.aws.edge import Edge  # boto3 and quickjs are imported by the tests that need them
    from jada.aws.edge.server import server

    bound = server(Edge(stack["GuestDistributionId"]), "127.0.0.1", 0)
    thread = threading.Thread(target=bound.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings.GUEST_BASE_URL = f"http://127.0.0.1:{bound.server_port}"
    settings.EMAIL_BACKEND = "jada.aws.ses.SesBackend"
    yield settings.GUEST_BASE_URL
    bound.shutdown()
    thread.join(5)
    bound.server_close()

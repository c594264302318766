"""What every test may ask for: three people (ops, coordinator, stranger), keys, a local AWS."""

import pytest
from django.contrib.auth.models import User

pytest_plugins = ["tests.emulator"]

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

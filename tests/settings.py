"""The shipped settings, with what a test needs: known keys, a throwaway database, no host of work."""

import os

_KEYS = {
    "READ_DOTENV": "false",
    "SECRET_KEY": "tests-only-" + "k" * 60,
    "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
    "ENVIRONMENT": "test",
    "OUTBOX_HOST": "none",
    # sha256 of the keys in tests/conftest.py
    "SERVICE_KEY_HASHES": '{"k1": "23c81113b95a26f248ed474bd94b955306c1f9074ff5c5bbd4bd5385e17effcd"}',
    "DASHBOARD_TOKEN_HASHES": '{"d1": "f2248274fe11a63bdc36541bd6c51ac35bb74798a5c4e4bb6a3dfa246cefc631"}',
    "CREW_LINK_KEYS": '{"cl-test": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHktMDE="}',
    "CREW_LINK_ACTIVE_KID": "cl-test",
    "STAFF_DOMAINS": "sailjada.com,halcyoncharters.example",
    "LOG_LEVEL": "WARNING",
    "SES_SEND_RATE": "0",  # a test of its own sets one
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-west-2",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
for _name, _value in _KEYS.items():
    os.environ[_name] = _value
os.environ.setdefault("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # a closed port: a test never reaches AWS
for _name in ("DEBUG", "MAILBOX_DIR", "GUEST_BASE_URL", "CREW_BASE_URL"):
    os.environ.pop(_name, None)

from jada.settings import *  # noqa: E402, F403  (the environment comes first)
from jada.settings import BASE_DIR, DATABASES, STORAGES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECURE_SSL_REDIRECT = False  # the test client speaks http; a test of its own asserts the shipped value
CONSOLE_REQUIRE_OTP = False
AXES_ENABLED = False
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True  # nothing is collected for a test
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
SILENCED_SYSTEM_CHECKS = ["jada.E007", "jada.E009"]  # a local AWS and no second factor, in tests only
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    (BASE_DIR / "var").mkdir(exist_ok=True)
    DATABASES["default"]["TEST"] = {"NAME": str(BASE_DIR / "var" / f"test-{os.getpid()}.sqlite3")}  # runs side by side
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON"  # a test may lose its data
    )
else:
    DATABASES["default"]["TEST"] = {"NAME": f"test_jada_{os.getpid()}"}

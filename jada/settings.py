"""Every setting, from the environment (12-factor). `.env.example` says what each variable means.

What ships is the safe choice; `jada/checks.py` stops the start when an unsafe one is made outside DEBUG.
"""

from pathlib import Path

from csp.constants import NONE, SELF
from environs import Env, validate

from jada import broker
from jada.logs import FORMATS, configuration

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent
if env.bool("READ_DOTENV", True):  # tests must not inherit the demo's settings
    env.read_env(BASE_DIR / ".env", recurse=False)

VAR_DIR = Path(env.str("VAR_DIR", "") or BASE_DIR / "var")  # what a machine keeps: database, mailbox, local AWS

# --- core ------------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "unset")  # refused by jada.E005
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["sailjada.com"])
CREW_BASE_URL = env.str("CREW_BASE_URL", "https://sailjada.com")
GUEST_BASE_URL = env.str("GUEST_BASE_URL", "https://queenofsandiego.com")
ENVIRONMENT, COMMIT = env.str("ENVIRONMENT", "production"), env.str("COMMIT", "")
TIME_ZONE = env.str("OPERATOR_TIME_ZONE", "America/Los_Angeles")
USE_TZ = True
LANGUAGE_CODE = "en-us"
ROOT_URLCONF = "jada.urls"
WSGI_APPLICATION = "jada.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024  # bytes; a marketplace mail is under 1 MB

INSTALLED_APPS = [
    "jada.aws",
    "jada.outbox",
    "jada.audit",
    "jada.mail",
    "bookings",
    "bookings.finance",
    "bookings.intake",
    "crew",
    "guests",
    "jada.console",  # last: its receivers hear a booking after everyone else has acted
    "jada.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "axes",
    "anymail",
    *(["ninja"] if DEBUG else []),  # the page of the APIs' documentation, and `manage.py export_openapi_schema`
]

MIDDLEWARE = [
    "jada.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "jada.middleware.NeverCached",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"environment": "jada.jinja2.environment"},
    },
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "jada" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database --------------------------------------------------------------------------------------------------

DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{VAR_DIR / 'jada.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # the write lock before the first read: check-then-write is safe
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
    }
else:
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    # A database that says nothing at all is an error after 20 s (milliseconds), not a desk that stands still.
    DATABASES["default"].setdefault("OPTIONS", {}).update(connect_timeout=5, tcp_user_timeout=20_000)

# --- sign-in ---------------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
CONSOLE_REQUIRE_OTP = env.bool("CONSOLE_REQUIRE_OTP", True)
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "jada.keys.client_address"  # behind the CDN every socket is the proxy's
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_VERBOSE = False
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
LOGIN_URL = "admin:login"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_NAME = "sjconsole" if DEBUG else "__Host-sjconsole"
CSRF_COOKIE_NAME = "csrftoken" if DEBUG else "__Host-csrftoken"
CSRF_FAILURE_VIEW = "jada.api.csrf_failure"
CREW_COOKIE_NAME = "sjcrew" if DEBUG else "__Host-sjcrew"

# --- keys: who may call, and what signs the links ----------------------------------------------------------------

SERVICE_KEY_HASHES = env.json("SERVICE_KEY_HASHES", {})
DASHBOARD_TOKEN_HASHES = env.json("DASHBOARD_TOKEN_HASHES", {})
CREW_LINK_KEYS = env.json("CREW_LINK_KEYS", {})
CREW_LINK_ACTIVE_KID = env.str("CREW_LINK_ACTIVE_KID", "")
METRICS_TOKEN_HASH = env.str("METRICS_TOKEN_HASH", "")  # "" opens /metrics to this machine only
ORIGIN_VERIFY = env.str("ORIGIN_VERIFY", "")  # what our CDN adds as X-Origin-Verify; "" believes no header

# --- transport -------------------------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = not DEBUG
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]  # asked over plain http, inside the private network
SECURE_HSTS_SECONDS = 0 if DEBUG else 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
SECURE_REFERRER_POLICY = "strict-origin"  # no-referrer makes browsers send Origin: null, and Django answer 403
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", False) else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # the stock admin's stylesheet has data images
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
        "worker-src": [SELF],
    },
}

# --- static files ----------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static-root"
STATICFILES_DIRS = [BASE_DIR / "jada" / "static"]
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

# --- AWS: one switch, AWS_ENDPOINT_URL, which boto3 reads itself ---------------------------------------------------

AWS_REGION = env.str("AWS_REGION", "us-west-2")
AWS_ENDPOINT_URL = env.str("AWS_ENDPOINT_URL", "")
AWS_STACK_NAME = env.str("AWS_STACK_NAME", "jada")
OPS_BUCKET, GUEST_BUCKET = env.str("OPS_BUCKET", "sailjada.com"), env.str("GUEST_BUCKET", "queenofsandiego.com")
EVENTS_TABLE = env.str("EVENTS_TABLE", "ShipCaptainCrew-events")
GUEST_DISTRIBUTION_ID = env.str("GUEST_DISTRIBUTION_ID", "")
APP_ROLE_ARN, LAMBDA_FUNCTION = env.str("APP_ROLE_ARN", ""), env.str("LAMBDA_FUNCTION", "")  # for the preflight to ask
_S3 = {"region_name": AWS_REGION, "signature_version": "s3v4", "addressing_style": "path", "default_acl": None}
STORAGES = {
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {**_S3, "bucket_name": OPS_BUCKET, "querystring_expire": 300, "file_overwrite": False},
    },
    "guest": {
        "BACKEND": "jada.aws.bucket.GuestPageStorage",
        "OPTIONS": {**_S3, "bucket_name": GUEST_BUCKET, "querystring_auth": False, "file_overwrite": True},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage",
    },
}

# --- mail ------------------------------------------------------------------------------------------------------

EMAIL_BACKEND = "jada.aws.ses.SesBackend"
OPS_EMAIL = env.str("OPS_EMAIL", "ops@sailjada.com")
MAIL_FROM = env.str("MAIL_FROM", "JADA crew office <crew-office@sailjada.com>")
MAIL_SENDERS = {  # by the first word of a letter's kind; a bounce of one must not hurt the others
    "guest": env.str("MAIL_FROM_GUESTS", "Queen of San Diego <guests@sailjada.com>"),
    "ops": env.str("MAIL_FROM_OPS", "JADA <system@sailjada.com>"),
}
MAIL_REPLY_TO, MAILBOX_DIR = env.str("MAIL_REPLY_TO", "") or OPS_EMAIL, env.str("MAILBOX_DIR", "")
MAIL_EVENTS_QUEUE_URL = env.str("MAIL_EVENTS_QUEUE_URL", "")
MAIL_EVENTS_TOPIC_ARN = env.str("MAIL_EVENTS_TOPIC_ARN", "")
SES_SEND_RATE = env.float("SES_SEND_RATE", 14, validate=validate.Range(0, 1000))
ANYMAIL = {"AMAZON_SES_CONFIGURATION_SET_NAME": env.str("SES_CONFIGURATION_SET", f"{AWS_STACK_NAME}-mail")}

# --- work ------------------------------------------------------------------------------------------------------

OUTBOX_HOST = env.str("OUTBOX_HOST", "celery", validate=validate.OneOf(("thread", "worker", "celery", "none")))
OUTBOX_THREADS = env.int("OUTBOX_THREADS", 8, validate=validate.Range(1))
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "memory://")
RECONCILE_HEAL = env.bool("RECONCILE_HEAL", True)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 80  # seconds; shorter than the outbox lease of 90
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_TRANSPORT_OPTIONS = broker.options(CELERY_BROKER_URL, env.str("CELERY_QUEUE_URL", ""), AWS_REGION)
CELERY_WORKER_ENABLE_REMOTE_CONTROL = not broker.is_sqs(CELERY_BROKER_URL)  # SQS has no broadcast
CELERY_BEAT_SCHEDULE = {
    "outbox-sweep": {"task": "outbox.sweep", "schedule": 15.0},
    "outbox-reconcile": {"task": "outbox.reconcile", "schedule": 300.0},  # near trips hourly, everything daily
    "bookings-release-expired": {"task": "bookings.release_expired", "schedule": 60.0},
    "guests-turn-pages": {"task": "guests.turn_pages", "schedule": 60.0},
    "crew-expire-invitations": {"task": "crew.expire_invitations", "schedule": 60.0},
    "mail-poll-events": {"task": "mail.poll_events", "schedule": 20.0},
    "console-preflight": {"task": "console.preflight", "schedule": 900.0},  # looks once a day
}

# --- the operator ----------------------------------------------------------------------------------------------

STAFF_DOMAINS = frozenset(env.list("STAFF_DOMAINS", ["sailjada.com"]))  # whose forwards of marketplace mails count

# --- logging ---------------------------------------------------------------------------------------------------

LOG_FORMAT = env.str("LOG_FORMAT", "text" if DEBUG else "json", validate=validate.OneOf(FORMATS))
LOGGING = configuration(form=LOG_FORMAT, level=env.str("LOG_LEVEL", "INFO"))

"""Settings, all from the environment; `docs/settings.md` describes each variable."""

from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = Env()

# What a value must look like; a wrong one is an error that names its variable.
some = validate.Length(min=1, error="It must not be empty.")
web_address = validate.URL(schemes={"http", "https"}, require_tld=False)
easypost_key = validate.Regexp(r"(EZ[AT]K\w*)?\Z", error="It must begin with EZTK (test) or EZAK (production).")
time_zone = validate.OneOf(available_timezones(), error="It must be the name of a time zone, as America/New_York.")

DEBUG: bool = env.bool("DEBUG", default=False)
SECRET_KEY: str = env.str("SECRET_KEY", default="only-for-development" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY: set it to a long random string (or DEBUG=true for development).")
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"], validate=some)
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# --- The engine ------------------------------------------------------------------------------------------

positive = validate.Range(min=0, min_inclusive=False)
# A request to the carrier must be answered within this; also the total deadline that the engine keeps.
REQUEST_TIMEOUT_SECONDS: float = env.float("REQUEST_TIMEOUT_SECONDS", default=20.0, validate=positive)
# A run says that it lives this often, and counts as dead when its last word is older than the lease.
HEARTBEAT_SECONDS: float = env.float("HEARTBEAT_SECONDS", default=5.0, validate=positive)
LEASE_SECONDS: float = env.float("LEASE_SECONDS", default=45.0, validate=positive)
# "Not bought" is believed only when the carrier was asked this long after the request was due.
QUIET_SECONDS: float = env.float("QUIET_SECONDS", default=90.0, validate=positive)
# Purchases that one run keeps in the air at once.
SHIP_CONCURRENCY: int = env.int("SHIP_CONCURRENCY", default=8, validate=validate.Range(1, 64))
# Workers that may share one job; a job gets one run for every ROWS_PER_RUN rows, at most this many.
RUNS_PER_JOB: int = env.int("RUNS_PER_JOB", default=4, validate=validate.Range(1, 15))
ROWS_PER_RUN: int = env.int("ROWS_PER_RUN", default=500, validate=validate.Range(min=1))
# A run hands over to a successor after this long, so that one long job never owns a worker.
RUN_SECONDS: float = env.float("RUN_SECONDS", default=600.0, validate=positive)
# When another job waits and nobody is at it, a run hands over after this long already.
RUN_TURN_SECONDS: float = env.float("RUN_TURN_SECONDS", default=5.0, validate=positive)
# A carrier that stays unavailable for this long halts the job, and a person decides.
HALT_AFTER_SECONDS: float = env.float("HALT_AFTER_SECONDS", default=300.0, validate=positive)
# Questions about one row in doubt that may fail before the row is set aside for a person.
REVIEW_AFTER_QUESTIONS: int = env.int("REVIEW_AFTER_QUESTIONS", default=8, validate=validate.Range(min=1))

# What carries the tickets of runs: the database, or Celery with a RabbitMQ broker.
TASK_ENGINE: str = env.str("TASK_ENGINE", default="database", validate=validate.OneOf(["database", "celery"]))
CELERY_BROKER_URL: str = env.str("CELERY_BROKER_URL", default="amqp://guest:guest@127.0.0.1:5672//", validate=some)
# RabbitMQ's `consumer_timeout`: it takes a ticket back whose work lasts longer.
BROKER_CONSUMER_TIMEOUT_SECONDS: float = env.float("BROKER_CONSUMER_TIMEOUT_SECONDS", default=1800.0, validate=positive)
# What somebody waits for at a page goes before runs, which take minutes.
TASK_QUEUES = ["onceship.files", "onceship.runs"]
_BACKENDS: dict[str, dict[str, Any]] = {
    "database": {"BACKEND": "django_tasks_db.DatabaseBackend"},
    "celery": {
        "BACKEND": "shipping.celery_backend.CeleryBackend",
        "OPTIONS": {"APP": "shipping.project.celery.app"},
    },
}
TASKS = {"default": {**_BACKENDS[TASK_ENGINE], "QUEUES": []}}

# --- Database --------------------------------------------------------------------------------------------

# Waiting for SQLite's write lock, or for a row lock on PostgreSQL, takes at most this long.
DATABASE_BUSY_SECONDS: float = env.float("DATABASE_BUSY_SECONDS", default=5.0, validate=positive)

DATABASES: dict[str, Any] = {
    "default": env.dj_db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'var' / 'onceship.sqlite3'}")
}
_database = DATABASES["default"]
# Connections are kept, and looked at before they are used again.
_database["CONN_MAX_AGE"] = 60
_database["CONN_HEALTH_CHECKS"] = True
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # FULL: what a commit acknowledged survives a power cut. IMMEDIATE: a transaction holds the write lock
    # from its first statement, which makes it the job lock of the design.
    _database["OPTIONS"] = {
        **_database.get("OPTIONS", {}),
        "timeout": DATABASE_BUSY_SECONDS,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
elif _database["ENGINE"] == "django.db.backends.postgresql":
    # A process that is frozen inside a transaction must not keep a job's lock for longer than its lease.
    _options = {
        "synchronous_commit": "on",
        "lock_timeout": int(DATABASE_BUSY_SECONDS * 1000),
        "idle_in_transaction_session_timeout": int(LEASE_SECONDS * 1000),
    }
    _database["OPTIONS"] = {
        # A network that falls silent is noticed within about a lease, not after the two hours of Linux.
        "connect_timeout": max(2, int(DATABASE_BUSY_SECONDS)),
        "keepalives_idle": max(1, int(LEASE_SECONDS / 3)),
        "keepalives_interval": max(1, int(LEASE_SECONDS / 6)),
        "keepalives_count": 4,
        "tcp_user_timeout": int(LEASE_SECONDS * 1000),
        **_database.get("OPTIONS", {}),
        "options": " ".join(f"-c {name}={value}" for name, value in _options.items()),
    }
else:
    raise ImproperlyConfigured("DATABASE_URL: Onceship runs on SQLite and PostgreSQL only.")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Carriers --------------------------------------------------------------------------------------------

EASYPOST_API_KEY: str = env.str("EASYPOST_API_KEY", default="", validate=easypost_key)
EASYPOST_API_BASE: str = env.str("EASYPOST_API_BASE", default="https://api.easypost.com/v2", validate=web_address)
SANDBOX_URL: str = env.str("SANDBOX_URL", default="http://127.0.0.1:8001", validate=web_address)

# What all workers and all else together may send to one carrier over any second; 0 for no limit.
MAX_REQUESTS_PER_SECOND: float = env.float("MAX_REQUESTS_PER_SECOND", default=0.0, validate=validate.Range(min=0))

# A name (a job keeps it) to an adapter's dotted path, the options it is made with, and its limit.
CARRIERS: dict[str, dict[str, Any]] = {
    "sandbox": {
        "ADAPTER": "shipping.carriers.easypost.EasyPost",
        "OPTIONS": {"api_key": "EZTK-sandbox", "api_base": f"{SANDBOX_URL.rstrip('/')}/v2"},
        "MAX_REQUESTS_PER_SECOND": MAX_REQUESTS_PER_SECOND,
    },
}
if EASYPOST_API_KEY:
    CARRIERS["easypost"] = {
        "ADAPTER": "shipping.carriers.easypost.EasyPost",
        "OPTIONS": {"api_key": EASYPOST_API_KEY, "api_base": EASYPOST_API_BASE},
        "MAX_REQUESTS_PER_SECOND": MAX_REQUESTS_PER_SECOND,
    }
DEFAULT_CARRIER: str = env.str("DEFAULT_CARRIER", default="sandbox")

# --- Orders ----------------------------------------------------------------------------------------------

IMPORT_MAX_BYTES: int = env.int("IMPORT_MAX_BYTES", default=1024**3, validate=validate.Range(min=1))
IMPORT_MAX_ROWS: int = env.int("IMPORT_MAX_ROWS", default=1_000_000, validate=validate.Range(min=1))

# --- Files -----------------------------------------------------------------------------------------------

MEDIA_ROOT: str = env.str("MEDIA_ROOT", default=str(BASE_DIR / "var" / "media"), validate=some)
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    # A label is written again under its own name when a kill came between the file and the books.
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"allow_overwrite": True},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Django ----------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "shipping",
    "recovery",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_tasks",
    "django_tasks_db",
    "csp",
]
MIDDLEWARE = [
    "shipping.middleware.empty_answers_to_head",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "shipping.middleware.times_of_the_viewer",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "shipping.project.urls"
WSGI_APPLICATION = "shipping.project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "recovery.context_processors.interrupted_jobs",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "shipping:job_list"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en-us"
# What a browser may ask for, and how numbers are then written; docs/translating.md tells how to add a language.
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE: str = env.str("TIME_ZONE", default="UTC", validate=time_zone)
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

# --- Security --------------------------------------------------------------------------------------------

# HTTPS=false is for one's own machine: without it, browsers would not send the cookies over plain HTTP.
HTTPS: bool = env.bool("HTTPS", default=not DEBUG)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS: int = env.int(
    "SECURE_HSTS_SECONDS", default=31_536_000 if HTTPS else 0, validate=validate.Range(min=0)
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

LOG_LEVEL: str = env.str("LOG_LEVEL", default="INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        "onceship": {"handlers": ["console"], "level": LOG_LEVEL},
        "celery": {"handlers": ["console"], "level": "WARNING"},
        "django_tasks": {"handlers": ["console"], "level": "WARNING"},
        "django_tasks_db": {"handlers": ["console"], "level": "WARNING"},
    },
}

"""The one settings file. It reads the environment and refuses to guess.

Everything an operator may set is listed in `docs/operating.md`.
"""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from staffroom.core import proxies

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("STAFFROOM_HOME") or ROOT / "var").resolve()

ENVIRONMENT = os.environ.get("STAFFROOM_ENV", "development")
if ENVIRONMENT not in {"development", "production", "test"}:
    raise ImproperlyConfigured(
        f"STAFFROOM_ENV is {ENVIRONMENT!r}; it may be development, production or test."
    )
PRODUCTION = ENVIRONMENT == "production"
DEVELOPMENT = ENVIRONMENT == "development"
DEBUG = False


def _secret_key() -> str:
    """The installation's key: from the environment, else from the data folder, where it is made once."""
    if key := os.environ.get("STAFFROOM_SECRET_KEY"):
        return key
    file = HOME / "secret.key"
    if not file.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text().strip()
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(48))
    return file.read_text().strip()


def _database(url: str, **options: object) -> dict[str, object]:
    """Django's form of postgresql://user:password@host-or-socket-folder/name."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured("A database address begins with postgresql://")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "staffroom.core.postgres",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": str(parts.port or query.pop("port", "")),
        "OPTIONS": {**query, **options},
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


SECRET_KEY = _secret_key()
# Former keys, divided by spaces: they still open what was sealed or signed with them, and seal nothing new.
SECRET_KEY_FALLBACKS = os.environ.get("STAFFROOM_OLD_SECRET_KEYS", "").split()
PUBLIC_URL = (
    os.environ.get("STAFFROOM_PUBLIC_URL") or f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
).rstrip("/")
if PRODUCTION and not PUBLIC_URL.startswith("https://"):
    raise ImproperlyConfigured("In production STAFFROOM_PUBLIC_URL must be set and begin with https://")

ALLOWED_HOSTS = [urlsplit(PUBLIC_URL).hostname or ""] if PRODUCTION else ["*"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# --- database -----------------------------------------------------------------------------------
# `default` is the application's role: rows only, under row-level security. `platform` bypasses it and
# serves the operator's jobs. `owner` exists only where migrations run.
POOL = int(os.environ.get("STAFFROOM_POOL", "4"))
_POOL = {"min_size": 1, "max_size": POOL, "timeout": 10}
# Nothing may hold a transaction open for long: one idle one slows every busy wallet down.
_SESSION = "-c idle_in_transaction_session_timeout=15000 -c lock_timeout=10000 -c statement_timeout=30000"

DATABASES: dict[str, dict[str, object]] = {}
# For what runs on the event loop; the bus needs a direct way where a pooler stands before the database.
DB_APP = os.environ.get("STAFFROOM_DB_APP", "")
DB_DIRECT = os.environ.get("STAFFROOM_DB_DIRECT") or DB_APP
if _url := os.environ.get("STAFFROOM_DB_APP"):
    DATABASES["default"] = _database(_url, pool=_POOL, options=_SESSION)
if _url := os.environ.get("STAFFROOM_DB_PLATFORM"):
    DATABASES["platform"] = _database(_url, options="-c idle_in_transaction_session_timeout=60000")
if _url := os.environ.get("STAFFROOM_DB_OWNER"):
    DATABASES["owner"] = _database(_url)
# Limits on how often must be shared by all processes, so the cache is a table, too.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "core_cache"}}
DATABASE_ROUTERS = ["staffroom.core.routing.OneDatabase"]
SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # unique by lower(email), in the database
    "files.E001",  # `core.files.scratch` makes the folder where it is needed
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- applications -------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "template_partials",
    "procrastinate.contrib.django",
    "staffroom.core",
    "staffroom.accounts",
    "staffroom.workspaces",
    "staffroom.billing",
    "staffroom.knowledge",
    "staffroom.employees",
    "staffroom.chats",
    "staffroom.archives",
    "ui",
]

MIDDLEWARE = [
    "staffroom.core.headers.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "staffroom.workspaces.doors.DoorMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "staffroom.core.answers.ErrorMiddleware",
    "staffroom.core.pages.PageMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # it insists on this list
]
PAGE_MIDDLEWARE = [  # a call of the API does without
    "staffroom.accounts.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "ui" / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                ("django.template.loaders.filesystem.Loader", [ROOT / "ui" / "templates"]),
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "template_partials.templatetags.partials",
                "ui.templatetags.ui",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "staffroom.workspaces.doors.context",
            ],
        },
    }
]

# --- people ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "staffroom.accounts.adapter.Adapter"
ACCOUNT_FORMS = {"signup": "staffroom.accounts.forms.Signup"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = urlsplit(PUBLIC_URL).scheme
MFA_ADAPTER = "staffroom.accounts.factors.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "staffroom.accounts.forms.Code",
    "reauthenticate": "staffroom.accounts.forms.CodeAgain",
    "authenticate_webauthn": "staffroom.accounts.forms.Passkey",
    "login_webauthn": "staffroom.accounts.forms.PasskeyAlone",
    "reauthenticate_webauthn": "staffroom.accounts.forms.PasskeyAgain",
    "add_webauthn": "staffroom.accounts.forms.NewPasskey",
    "edit_webauthn": "staffroom.accounts.forms.PasskeyName",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Staffroom"
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds: phones are late, and people type slowly
# Nobody signs in before an address is verified, so the reason for allauth's rule is gone; with it, an account with
# a second factor could not change its address.
MFA_ALLOW_UNVERIFIED_EMAIL = True

SESSION_ENGINE = "staffroom.accounts.sessions"
SESSION_COOKIE_NAME = "staffroom_session"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_NAME = "staffroom_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_FAILURE_VIEW = "staffroom.core.answers.csrf_failure"

# --- what happens by name (checked by tests/test_floors.py) ----------------------------------------
USER_BORN = ["staffroom.workspaces.personal.open_for"]
ARRIVALS = ["staffroom.workspaces.invitations.arrive"]
WORKSPACE_BORN = ["staffroom.billing.plans.begin_free"]
WORKSPACE_CLOSED = ["staffroom.chats.closing.ring"]
ACCOUNTING_KEEPS = ["staffroom.billing.remains.purchases"]
QUEUE_READY = ["config.schedule.recurring"]

# --- language, time, files -------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LOCALE_PATHS = [ROOT / "ui" / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [ROOT / "ui" / "static"]
STATIC_BUNDLES = HOME / "bundles"
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder", "ui.bundle.Bundles"]
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": HOME / "files"},
    },
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if ENVIRONMENT != "test"
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
BODY_LIMIT = 30 * 1024 * 1024
# Asked once a body is larger than that: how large this one may be, by its address and its sender.
LARGE_BODIES = "staffroom.archives.views.largest_body"
IMPORT_LIMIT = int(os.environ.get("STAFFROOM_IMPORT_LIMIT_MB", "512")) * 1024 * 1024
# What is too large for memory and gone with the work. On the disk of the files, so that an upload is moved and not copied.
FILE_UPLOAD_TEMP_DIR = str(HOME / "scratch")

# --- mail ------------------------------------------------------------------------------------------
EMAIL_URL = os.environ.get("EMAIL_URL", "")
MAIL_FOLDER = HOME / "mail"
DEFAULT_FROM_EMAIL = os.environ.get("STAFFROOM_MAIL_FROM", "Staffroom <staffroom@localhost>")
if EMAIL_URL:
    _mail = urlsplit(EMAIL_URL)
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = _mail.hostname or "localhost"
    EMAIL_PORT = _mail.port or (465 if _mail.scheme == "smtps" else 25)
    EMAIL_HOST_USER = unquote(_mail.username or "")
    EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_USE_TLS = _mail.scheme == "smtp+tls"
    EMAIL_TIMEOUT = 10
else:
    EMAIL_BACKEND = "staffroom.core.mail.FolderBackend"
PROCRASTINATE_IMPORT_PATHS = [
    "staffroom.core.mail",
    "staffroom.core.ratelimits",
    "staffroom.billing.jobs",
    "staffroom.chats.tally",
    "staffroom.knowledge.ingestion",
    "staffroom.archives.exports",
    "staffroom.archives.imports",
    "staffroom.archives.sweeping",
    "staffroom.workspaces.erasing",
    "staffroom.chats.closing",
]

# --- deletion ---------------------------------------------------------------------------------------
# How long the owner may take back the deletion of an organization. 0: not at all.
try:
    DELETION_GRACE = timedelta(hours=float(os.environ.get("STAFFROOM_DELETION_GRACE_HOURS") or 72))
except (ValueError, OverflowError):
    raise ImproperlyConfigured("STAFFROOM_DELETION_GRACE_HOURS is a number of hours, such as 72.") from None
if not timedelta(0) <= DELETION_GRACE <= timedelta(days=365):
    raise ImproperlyConfigured("STAFFROOM_DELETION_GRACE_HOURS lies between 0 and 8760, a year.")

# --- models of language -----------------------------------------------------------------------------
OPENAI_API_KEY = os.environ.get("OPENAI_API_KEY", "")
OPENAI_BASE_URL = os.environ.get("OPENAI_BASE_URL", "")
ANTHROPIC_API_KEY = os.environ.get("ANTHROPIC_API_KEY", "")
GOOGLE_API_KEY = os.environ.get("GOOGLE_API_KEY", "")
MISTRAL_API_KEY = os.environ.get("MISTRAL_API_KEY", "")
DEFAULT_MODEL = os.environ.get("STAFFROOM_MODEL") or (
    "openai:gpt-5-mini" if OPENAI_API_KEY or OPENAI_BASE_URL else "extract"
)
# Words of the balance for each word sent or written; "openai:*" stands for all of a provider, 1 where nothing stands.
MODEL_RATES: dict[str, float] = {"extract": 1}

# --- money ----------------------------------------------------------------------------------------------
STRIPE_SECRET_KEY = os.environ.get("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
STRIPE_API_BASE = os.environ.get("STRIPE_API_BASE", "").rstrip("/")
if PRODUCTION and STRIPE_SECRET_KEY and not STRIPE_WEBHOOK_SECRET:
    raise ImproperlyConfigured(
        "With STRIPE_SECRET_KEY set, STRIPE_WEBHOOK_SECRET is needed: it tells what was paid."
    )
# Where the operator wants money to be sent; stands on the invoice. Without it there are no invoices.
INVOICES = os.environ.get("STAFFROOM_INVOICES", "" if PRODUCTION else "Development: no money is expected.")
_test_payments = os.environ.get("STAFFROOM_TEST_PAYMENTS", "0" if PRODUCTION else "1")
if PRODUCTION and _test_payments != "0":
    raise ImproperlyConfigured(
        "STAFFROOM_TEST_PAYMENTS gives words for no money: it cannot be set in production."
    )
TEST_PAYMENTS = _test_payments == "1"
WORDS_FOR_A_DOLLAR = int(os.environ.get("STAFFROOM_WORDS_FOR_A_DOLLAR", "20000"))

# --- security ----------------------------------------------------------------------------------------
# The operator's own proxies; only what they say of a client's address is believed.
try:
    TRUSTED_PROXIES = proxies.networks(os.environ.get("STAFFROOM_TRUSTED_PROXIES", ""))
except ValueError as error:
    raise ImproperlyConfigured(
        f"STAFFROOM_TRUSTED_PROXIES holds addresses and networks, such as 127.0.0.1 10.0.0.0/8: {error}."
    ) from None
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
X_FRAME_OPTIONS = "DENY"

# --- log ----------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("STAFFROOM_LOG", "WARNING")},
    "loggers": {"django.request": {"level": "ERROR"}},
}

"""Settings, read from the environment. Unset means safe; nonsense stops start-up.

Every name can also be given as `NAME_FILE`, the path of a file that holds the value.
"""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from dataplane.reach import PRIVATE_NETWORKS

from .security import content_security_policy

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()

# Where the site keeps what it writes by default: database, demo clusters, local stores.
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY").strip()
# Encrypts cluster tokens and store credentials; older keys may follow, separated by commas.
ENCRYPTION_KEYS: list[str] = [key.strip() for key in env.list("ENCRYPTION_KEYS", default=[])]
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# HTTPS is on unless an operator says otherwise; `make run` does, for a site on the loopback address.
HTTPS = env.bool("HTTPS", default=True)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# Both bind hosts we know nothing of, and browsers remember it for a year: an operator has to say so.
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS and env.bool("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = HTTPS and env.bool("HSTS_PRELOAD", default=False)
# These two say only that the two above are off.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REDIRECT_EXEMPT = [r"^health/(live/|ready/)?$"]
# Only behind a reverse proxy that always sets this header itself.
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Whose word about a client's address is taken (X-Forwarded-For); nobody's unless an operator says so.
try:
    TRUSTED_PROXIES = [ip_network(text.strip()) for text in env.list("TRUSTED_PROXIES", default=[])]
except ValueError as error:
    raise ImproperlyConfigured(f"TRUSTED_PROXIES holds what is no network, such as 10.0.0.0/24: {error}.") from error
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
if HTTPS:
    # Browsers take cookies of these names only from this very host, over HTTPS: no neighbour below the same domain can
    # plant one.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
CSRF_COOKIE_HTTPONLY = True
# Signing in through an OpenID Connect provider, for people who are here already under an address that it verified.
OIDC_ISSUER = env.str("OIDC_ISSUER", default="").strip().rstrip("/")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="").strip()
if bool(OIDC_ISSUER) != bool(OIDC_CLIENT_ID):
    raise ImproperlyConfigured("OIDC_ISSUER and OIDC_CLIENT_ID are needed together, with OIDC_CLIENT_SECRET.")
if OIDC_ISSUER and not re.match(r"https://|http://(localhost|127\.0\.0\.1)(:|/|$)", OIDC_ISSUER):
    raise ImproperlyConfigured("OIDC_ISSUER must begin with https://: what it says decides who may come in.")
# Where the provider's sign-in page lies, if not at the issuer's own origin: our form leads there.
OIDC_SIGN_IN_ORIGIN = env.str("OIDC_SIGN_IN_ORIGIN", default="/".join(OIDC_ISSUER.split("/")[:3])).strip()
CONTENT_SECURITY_POLICY = content_security_policy(
    form_targets=[OIDC_SIGN_IN_ORIGIN] if OIDC_ISSUER else [], report_uri=env.str("CSP_REPORT_URI", default="")
)

# Forms are small, and so is the largest price list.
LARGEST_REQUEST_BYTES = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 5

# Networks that clusters and stores may be in, whose addresses people type. Public addresses may be reached anyway; the
# default adds private networks, where most clusters live. Name fewer, or none, where the people are strangers. Loopback
# and link-local networks, and each address of a cloud's metadata service, have to be named.
try:
    ALLOWED_NETWORKS = [
        ip_network(str(text).strip()) for text in env.list("ALLOWED_NETWORKS", default=PRIVATE_NETWORKS)
    ]
except ValueError as error:
    raise ImproperlyConfigured(
        f"ALLOWED_NETWORKS must be networks such as 10.0.0.0/8, with commas: {error}."
    ) from error
# Stores may be folders below this one, and nowhere else.
LOCAL_STORES_ROOT = Path(env.str("LOCAL_STORES_ROOT", default=str(VAR_DIR / "stores"))).resolve()
# Whether a bucket may be opened with what this machine is trusted with (its environment, files, identity in the cloud)
# when a store has no credentials of its own. Whoever may set up stores then reaches whatever the machine reaches.
HOST_CREDENTIALS = env.bool("HOST_CREDENTIALS", default=False)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "lucide",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "accounts",
    "clusters",
    "pricing",
    "backups",
    "jobs",
    "dashboard",
]

MIDDLEWARE = [
    "backupsite.middleware.HeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "api.middleware.JsonErrorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "backupsite.middleware.BodySizeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Below WhiteNoise, whose files are compressed beforehand.
    "backupsite.compression.CompressionMiddleware",
    "accounts.audit_middleware.AuditMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "accounts.key_middleware.KeyMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.signin_middleware.LastSeenMiddleware",
    "accounts.signin_middleware.TwoFactorMiddleware",
    "accounts.guard.GuardMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "backupsite.middleware.SignInForHtmxMiddleware",
    "backupsite.middleware.NullCharacterMiddleware",
]

ROOT_URLCONF = "backupsite.urls"
WSGI_APPLICATION = "backupsite.wsgi.application"

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
                "accounts.context_processors.navigation",
            ],
        },
    },
]

# PostgreSQL by its address; without one, SQLite in a file.
DATABASE_URL = env.str("DATABASE_URL", default="").strip()
if DATABASE_URL and not DATABASE_URL.startswith(("postgres://", "postgresql://")):
    raise ImproperlyConfigured(
        "DATABASE_URL must look like postgres://user:password@host:5432/name. "
        "For SQLite leave it unset; DATABASE_FILE names the file."
    )
if DATABASE_URL:
    DATABASES = {"default": env.db_url_config(DATABASE_URL)}
    DATABASES["default"] |= {
        # A connection is kept between requests and jobs, and looked at before it is used again.
        "CONN_MAX_AGE": env.int("DATABASE_CONNECTION_SECONDS", default=60),
        "CONN_HEALTH_CHECKS": True,
        # A server that vanished without a word is noticed within a minute, not after the two hours that TCP waits.
        "OPTIONS": {
            "connect_timeout": 5,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,
            # A process that is frozen in a transaction would hold its rows, and everybody who waits for them. After a
            # lease it has lost its job as well.
            "options": f"-c idle_in_transaction_session_timeout={env.int('JOB_LEASE_SECONDS', default=15)}s",
        }
        | DATABASES["default"].get("OPTIONS", {}),
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": env.str("DATABASE_FILE", default=str(VAR_DIR / "backupsite.sqlite3")),
            # A writer takes its lock when the transaction begins, so that two claims queue up instead of failing
            # half-way.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    }

# Mail: links for a new password and news about one's own account. Without it, whoever runs the site helps.
EMAIL_URL = env.str("EMAIL_URL", default="").strip()
MAIL_CONFIGURED = bool(EMAIL_URL)
if MAIL_CONFIGURED:
    vars().update(env.email_url_config(EMAIL_URL))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default="backupsite@localhost")

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard:overview"
LOGOUT_REDIRECT_URL = "account_login"

# Attempts are counted, and used codes remembered, where all processes see it (docs/decisions/0009). Far more rows than
# an attacker can fill before old ones end: whatever is pushed out would be forgotten.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "accounts_cacheentry",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# Signing in, by django-allauth. Nobody signs up: people are invited, or added by a command.
ACCOUNT_ADAPTER = "accounts.signin_adapters.SignInAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = MAIL_CONFIGURED
ACCOUNT_EMAIL_SUBJECT_PREFIX = "backupsite: "
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_SESSION_REMEMBER = True
# The "key" is account and address together: nobody can lock somebody else out (accounts/signin_adapters.py).
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key"}
ACCOUNT_FORMS = {
    "login": "accounts.signin_forms.SignInForm",
    "change_password": "accounts.signin_forms.ChangePasswordForm",
    "set_password": "accounts.signin_forms.SetPasswordForm",
    "reset_password": "accounts.signin_forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.signin_forms.ResetPasswordKeyForm",
    "reauthenticate": "accounts.signin_forms.ReauthenticateForm",
}
MFA_ADAPTER = "accounts.signin_adapters.TwoFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "backupsite"
# Addresses are vouched for by whoever invites; nobody here could claim somebody else's.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "authenticate": "accounts.signin_forms.CodeForm",
    "reauthenticate": "accounts.signin_forms.ConfirmByCodeForm",
    "activate_totp": "accounts.signin_forms.ActivateAppForm",
    "add_webauthn": "accounts.signin_forms.AddPasskeyForm",
    "edit_webauthn": "accounts.signin_forms.RenamePasskeyForm",
    "authenticate_webauthn": "accounts.signin_forms.PasskeyStepForm",
    "login_webauthn": "accounts.signin_forms.PasskeySignInForm",
    "reauthenticate_webauthn": "accounts.signin_forms.ConfirmByPasskeyForm",
}

# The provider of OIDC_ISSUER, above.
SOCIALACCOUNT_ADAPTER = "accounts.signin_adapters.ProviderAdapter"
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": []}}
if OIDC_ISSUER:
    SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"].append(
        {
            "provider_id": "oidc",
            "name": env.str("OIDC_NAME", default="single sign-on").strip(),
            "client_id": OIDC_CLIENT_ID,
            "secret": env.str("OIDC_CLIENT_SECRET", default="").strip(),
            "settings": {"server_url": OIDC_ISSUER},
        }
    )

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(VAR_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "backupsite.finders.PlotlyFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "backupsite.storage.StaticFilesStorage"
    },
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Who may call the views that are not ours, and whether each answer is looked at for a declaration it did not keep.
FOREIGN_VIEWS = "backupsite.declarations.FOREIGN_VIEWS"
CHECK_DECLARATIONS = DEBUG

# pricing knows regions only by their codes; this function tells it which exist.
PRICING_REGION_SOURCE = "backupsite.wiring.price_regions"

# backups knows no jobs and no prices; this function tells it what its pages show of them.
COPY_FACTS_SOURCE = "jobs.copy_facts.copy_facts"

# Whether this installation may start Milvus Lite databases of its own and look after them.
EMBEDDED_CLUSTERS = env.bool("EMBEDDED_CLUSTERS", default=False)

# A message broker that wakes workers on many machines; without one they look for jobs themselves.
BROKER_URL = env.str("BROKER_URL", default="").strip()
if BROKER_URL and not BROKER_URL.startswith(("redis://", "rediss://", "amqp://", "amqps://")):
    raise ImproperlyConfigured("BROKER_URL must begin with redis://, rediss://, amqp:// or amqps://, or be unset.")

# How many calls a second one API key may make, counted over ten seconds.
API_REQUESTS_PER_SECOND = env.int("API_REQUESTS_PER_SECOND", default=20)
if API_REQUESTS_PER_SECOND < 1:
    raise ImproperlyConfigured("API_REQUESTS_PER_SECOND is a number of calls, at least 1.")

# Jobs. A lease that is not renewed for this long is taken for a dead worker's.
JOB_LEASE_SECONDS = env.int("JOB_LEASE_SECONDS", default=15)
JOB_POLL_SECONDS = env.float("JOB_POLL_SECONDS", default=0.2)
JOB_MAX_ATTEMPTS = env.int("JOB_MAX_ATTEMPTS", default=5)
# How many jobs one worker process carries out at a time.
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=2)
# How many backups and restores talk to one cluster at a time, and how many jobs other than restores work in one
# region, over all workers; 0 is no limit.
JOBS_PER_CLUSTER = env.int("JOBS_PER_CLUSTER", default=2)
JOBS_PER_REGION = env.int("JOBS_PER_REGION", default=4)
if min(JOBS_PER_CLUSTER, JOBS_PER_REGION) < 0:
    raise ImproperlyConfigured("JOBS_PER_CLUSTER and JOBS_PER_REGION are counts of jobs; 0 means no limit.")
# How long a chunk stays in a store that no backup there names: a worker that was thought dead may have just sent it.
COLLECT_GRACE_SECONDS = env.int("COLLECT_GRACE_SECONDS", default=3600)
if COLLECT_GRACE_SECONDS < 0:
    raise ImproperlyConfigured("COLLECT_GRACE_SECONDS is a time in seconds; 0 removes at once.")
# How long a worker waits for one answer of a cluster.
WORKER_CLUSTER_TIMEOUT_SECONDS = env.float("WORKER_CLUSTER_TIMEOUT_SECONDS", default=60)
# How long pages wait for a cluster to answer.
CLUSTER_TIMEOUT_SECONDS = env.float("CLUSTER_TIMEOUT_SECONDS", default=5)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "backupsite.logs.SafeFormatter", "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}

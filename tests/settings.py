"""The site's settings as tests see them: everything in one temporary folder, keys that protect nothing."""

import atexit
import os
import shutil
import tempfile

if "VAR_DIR" not in os.environ:
    os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="backupsite-tests-")
    atexit.register(shutil.rmtree, os.environ["VAR_DIR"], ignore_errors=True)
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("ENCRYPTION_KEYS", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
os.environ.setdefault("HTTPS", "false")
# Servers of the tests listen on the loopback address, and their folders lie among the temporary ones.
os.environ.setdefault("ALLOWED_NETWORKS", "127.0.0.0/8")
os.environ.setdefault("LOCAL_STORES_ROOT", tempfile.gettempdir())

from backupsite.settings import *

# WhiteNoise warns about a folder that is not there.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)

CHECK_DECLARATIONS = True
# A code must not be refused because its half minute ended on the way to the site.
MFA_TOTP_TOLERANCE = 1
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}

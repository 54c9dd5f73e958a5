"""`python -m tests.deploy_check`: Django's own deployment check, warnings included, with settings as in production."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import tempfile

from tests.site import ROOT, clean_environment


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="backupsite-check-") as var:
        environment = clean_environment(
            DJANGO_SETTINGS_MODULE="backupsite.settings",
            VAR_DIR=var,
            SECRET_KEY=secrets.token_urlsafe(60),
            ENCRYPTION_KEYS=base64.urlsafe_b64encode(os.urandom(32)).decode(),
            ALLOWED_HOSTS="backups.example.com",
        )
        environment.pop("DEBUG", None)
        command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.parts`: which of the parts that tests need are here, and how to get the others.

On a laptop a missing part is a visible skip; with CI set it is a failure.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.postgres import HOW_TO_GET_POSTGRESQL, find_postgresql
from tests.redis_server import HOW_TO_GET_REDIS, find_redis

SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_CHROMIUM = (
    "sudo apt-get install chromium (or, without root: .venv/bin/python -m playwright install chromium), "
    "or name one you have in the environment: CHROMIUM=/path/to/chromium make test"
)
_INSTALL_SECONDS = 300


def find_chromium() -> str | None:
    """Path of a Chromium that starts: the one named in CHROMIUM, the system's, or Playwright's own.

    Not to be called while Playwright is running, for it may have to ask Playwright.
    """
    if named := os.environ.get("CHROMIUM"):
        return _if_it_starts(shutil.which(named))
    for name in SYSTEM_NAMES:
        if found := _if_it_starts(shutil.which(name)):
            return found
    return _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return _if_it_starts(playwright.chromium.executable_path)


def _if_it_starts(path: str | None) -> str | None:
    """None too for one that lacks libraries, which only running it shows."""
    if path is None:
        return None
    try:
        subprocess.run([path, "--version"], check=True, capture_output=True, timeout=30)
    except (subprocess.SubprocessError, OSError):
        return None
    return path


def _has_rclone() -> bool:
    return Path(sys.executable).with_name("rclone").exists() or shutil.which("rclone") is not None


def install_chromium() -> str | None:
    """Try Playwright's own download, which needs no root but a network that reaches it; its path, or None."""
    try:
        subprocess.run(
            [sys.executable, "-m", "playwright", "install", "chromium"],
            check=True,
            capture_output=True,
            timeout=_INSTALL_SECONDS,
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return _playwrights_own()


def main() -> int:
    missing = []
    own = {
        "Milvus Lite": importlib.util.find_spec("milvus_lite") is not None,
        "rclone, for a real S3 server": _has_rclone(),
    }
    servers = {
        "PostgreSQL": (find_postgresql(), HOW_TO_GET_POSTGRESQL),
        "Redis": (find_redis(), HOW_TO_GET_REDIS),
    }
    for name, (path, how) in servers.items():
        print(f"{name}: {path or f'MISSING. Do this: {how}'}")
        if path is None:
            missing.append(name)
    for name, is_found in own.items():
        print(f"{name}: {'found' if is_found else 'MISSING; delete .venv and run make test again'}")
        if not is_found:
            missing.append(name)
    chromium = find_chromium()
    if chromium is None and "CHROMIUM" not in os.environ:
        print("Chromium: not on this machine; trying Playwright's own download")
        chromium = install_chromium()
    if chromium is None:
        missing.append("Chromium")
        print(f"Chromium: MISSING. Do this: {HOW_TO_GET_CHROMIUM}")
    else:
        print(f"Chromium: {chromium}")
    if missing and not os.environ.get("CI"):
        print(f"Tests that need {' and '.join(missing)} will be skipped.")
    return 1 if missing and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())

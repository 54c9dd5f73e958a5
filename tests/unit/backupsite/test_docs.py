"""What the guides for operators say exists: settings, commands, addresses, tests."""

from __future__ import annotations

import re

import pytest
from django.core.management import get_commands
from django.urls import resolve

from tests.site import ROOT

DEPLOY = (ROOT / "docs/deploy.md").read_text()
THREATS = (ROOT / "docs/threat-model.md").read_text()


def test_every_setting_is_read():
    read = set(re.findall(r'env\.\w+\("(\w+)"', (ROOT / "backupsite/settings.py").read_text()))
    said = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", DEPLOY + THREATS)) | set(
        re.findall(r"^    ([A-Z_]+)=", DEPLOY, re.MULTILINE)
    )
    assert {"ALLOWED_NETWORKS", "TRUSTED_PROXIES", "SECRET_KEY_FILE"} <= said
    elsewhere = {"HTTPS_PROXY"}  # of other programs
    assert {name.removesuffix("_FILE") for name in said} - elsewhere <= read


def test_every_command_exists():
    said = set(re.findall(r"manage\.py ([a-z_]+)", DEPLOY))
    assert said <= set(get_commands())


def test_every_address_exists():
    for path in set(re.findall(r"`(/health/[a-z]+/)`", DEPLOY)):
        assert resolve(path)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:[\w*]+/)*(?:test_[\w*]+\.py|[\w]+\.py))`", THREATS))))
def test_every_file_exists_that_the_threat_model_names(name):
    assert list(ROOT.glob(name) if "/" in name else (ROOT / "tests").rglob(name))


def test_every_link_leads_somewhere():
    for text in (DEPLOY, THREATS):
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert (ROOT / "docs" / link).exists(), link

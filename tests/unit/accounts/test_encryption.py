"""Secrets: unreadable in the database, readable with any of the keys, and never lost in silence."""

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from accounts.encryption import decrypt, encrypt

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_what_is_encrypted_cannot_be_read_and_comes_back(settings):
    settings.ENCRYPTION_KEYS = [NEW]
    stored = encrypt("user:password")
    assert "password" not in stored
    assert decrypt(stored) == "user:password"


def test_the_same_text_is_stored_differently_each_time():
    assert encrypt("token") != encrypt("token")


def test_no_text_stays_no_text():
    assert encrypt("") == decrypt("") == ""


def test_a_new_key_is_put_first_and_the_old_one_still_reads(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    stored = encrypt("token")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert decrypt(stored) == "token"
    written = encrypt("token")
    settings.ENCRYPTION_KEYS = [NEW]
    assert decrypt(written) == "token"


@pytest.mark.parametrize("keys", [[NEW], []])
def test_a_missing_key_is_an_error_and_not_an_empty_secret(settings, keys):
    settings.ENCRYPTION_KEYS = [OLD]
    stored = encrypt("token")
    settings.ENCRYPTION_KEYS = keys
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS") as fault:
        decrypt(stored)
    assert "token" not in str(fault.value).replace("tokens", "")

"""Secrets: unreadable in the database, readable with any of the keys, never lost in silence, and one at a time."""

import pickle

import pytest
from cryptography.fernet import Fernet
from django.core import serializers

from accounts.checks import check_encryption_keys
from accounts.encryption import Secret
from accounts.errors import EncryptionKeysUnusable, SecretUnreadable
from clusters.models import Cluster
from tests.builders import make_cluster

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_what_is_encrypted_cannot_be_read_and_comes_back(settings):
    settings.ENCRYPTION_KEYS = [NEW]
    secret = Secret.of("user:password")
    assert "password" not in secret.stored
    assert secret.reveal() == "user:password"


def test_a_secret_shows_nothing_of_itself():
    secret = Secret.of("token")
    for shown in (repr(secret), str(secret), f"{secret}"):
        assert "token" not in shown
        assert secret.stored not in shown
    assert pickle.loads(pickle.dumps(secret)) == secret


def test_the_same_text_is_stored_differently_each_time():
    assert Secret.of("token") != Secret.of("token")


def test_no_text_stays_no_text():
    assert not Secret.of("")
    assert Secret.of("").stored == Secret.of("").reveal() == ""


def test_a_new_key_is_put_first_and_the_old_one_still_reads(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    secret = Secret.of("token")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert secret.reveal() == "token"
    written = Secret.of("token")
    settings.ENCRYPTION_KEYS = [NEW]
    assert written.reveal() == "token"


@pytest.mark.parametrize("keys", [[NEW], [], ["no key"]])
def test_a_missing_key_is_an_error_and_not_an_empty_secret(settings, keys):
    settings.ENCRYPTION_KEYS = [OLD]
    secret = Secret.of("token")
    settings.ENCRYPTION_KEYS = keys
    with pytest.raises(SecretUnreadable):
        secret.reveal()


@pytest.mark.parametrize("keys", [[], ["no key"], [NEW, "no key"]])
def test_nothing_is_stored_without_usable_keys(settings, keys):
    settings.ENCRYPTION_KEYS = keys
    with pytest.raises(EncryptionKeysUnusable, match="ENCRYPTION_KEYS") as refusal:
        Secret.of("token")
    assert "no key" not in str(refusal.value).replace("no Fernet key", "")
    assert Secret.of("").stored == ""


@pytest.mark.parametrize(("keys", "expected"), [([], ["accounts.W001"]), (["no key"], ["accounts.E001"]), ([NEW], [])])
def test_the_start_up_check_names_unusable_keys_and_the_way_to_make_one(settings, keys, expected):
    settings.ENCRYPTION_KEYS = keys
    found = check_encryption_keys(None)
    assert [message.id for message in found] == expected
    assert all("Fernet.generate_key" in (message.hint or "") for message in found)


@pytest.mark.django_db
def test_a_row_with_an_unreadable_secret_loads_and_can_be_saved_without_losing_it(settings):
    cluster = make_cluster(token="token")
    settings.ENCRYPTION_KEYS = [NEW]
    loaded = Cluster.objects.get()
    loaded.name = "renamed"
    loaded.save()
    settings.ENCRYPTION_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    assert Cluster.objects.get(pk=cluster.pk).token.reveal() == "token"


@pytest.mark.django_db
def test_rows_hold_secrets_before_and_after_they_are_saved_and_when_they_are_fetched_later():
    made = make_cluster(token="token")
    late = Cluster.objects.only("name").get()
    for row in (made, Cluster.objects.get(), late, Cluster.objects.defer("token").get()):
        assert row.token.reveal() == "token"
    Cluster.objects.update(token="other")
    made.refresh_from_db()
    assert made.token.reveal() == "other"
    assert Cluster.objects.values_list("token", flat=True)[0].reveal() == "other"


@pytest.mark.django_db
def test_a_dump_holds_ciphertext_and_can_be_loaded_where_its_key_is(settings):
    make_cluster(token="planted")
    make_cluster(token="")
    dumped = serializers.serialize("json", Cluster.objects.order_by("pk"))
    assert "planted" not in dumped
    settings.ENCRYPTION_KEYS = [NEW, *settings.ENCRYPTION_KEYS]
    for row in serializers.deserialize("json", dumped):
        row.save()
    assert [cluster.token.reveal() for cluster in Cluster.objects.order_by("pk")] == ["planted", ""]


@pytest.mark.django_db
def test_what_somebody_types_is_never_taken_for_a_ciphertext():
    cluster = make_cluster(token="encrypted:gAAAA")
    Cluster.objects.filter(pk=cluster.pk).update(token="encrypted:x")
    assert Cluster.objects.get().token.reveal() == "encrypted:x"
    assert cluster.token.reveal() == "encrypted:gAAAA"

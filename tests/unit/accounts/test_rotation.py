"""A new encryption key: every secret is written anew with it, and then the old one can go."""

from __future__ import annotations

import io
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from accounts import rotation
from accounts.encryption import Secret
from accounts.models import AuditEntry
from clusters.models import Cluster, Store
from tests.builders import OREGON, make_cluster, make_store, make_user

pytestmark = pytest.mark.django_db

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))


def rotate() -> str:
    output = io.StringIO()
    call_command("rotate_encryption_keys", stdout=output)
    return output.getvalue()


@pytest.fixture
def secrets(people, settings) -> Any:
    """One of every kind, written with the old key, and a cluster without a token."""
    settings.ENCRYPTION_KEYS = [OLD]
    make_cluster(people.project, name="a", token="root:planted")
    make_cluster(people.project, name="b", token="")
    store = make_store(people.organization, OREGON)
    Store.objects.filter(pk=store.pk).update(options="secret_access_key=planted")
    TOTP.activate(people.viewer, "PLANTEDSECRET234")
    return RecoveryCodes.activate(people.viewer).get_unused_codes()


def test_afterwards_the_old_key_is_not_needed(people, secrets, settings):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    told = rotate()
    assert "The keys behind it can be dropped." in told
    assert "clusters.Cluster.token                 1 written anew        0 current" in told
    settings.ENCRYPTION_KEYS = [NEW]
    assert [cluster.token.reveal() for cluster in Cluster.objects.order_by("name")] == ["root:planted", ""]
    assert Store.objects.get().read_options() == {"secret_access_key": "planted"}
    totp, codes = Authenticator.objects.order_by("pk")
    assert Secret(totp.data["secret"]).reveal() == "PLANTEDSECRET234"
    assert RecoveryCodes(codes).get_unused_codes() == secrets
    assert AuditEntry.objects.filter(action="secrets.rotated", actor_name="manage.py rotate_encryption_keys").exists()


def test_a_second_run_writes_nothing(secrets, settings):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    rotate()
    before = list(Cluster.objects.values_list("token", flat=True))
    assert "0 written anew        1 current" in rotate()
    assert list(Cluster.objects.values_list("token", flat=True)) == before


def test_one_that_ends_half_way_is_finished_by_the_next(people, secrets, settings, monkeypatch):
    for number in range(5):
        make_cluster(people.project, name=f"c{number}", token="planted")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    monkeypatch.setattr(rotation, "BATCH", 2)
    count = 0

    def fail_at_the_fourth(value: Any, rotated: Any, anew: Any = rotation._anew) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return anew(value, rotated)

    monkeypatch.setattr(rotation, "_anew", fail_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        rotate()
    monkeypatch.undo()
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert rotation.count_left() > 0
    rotate()
    assert rotation.count_left() == 0


def test_what_no_key_reads_stays_and_is_told(people, secrets, settings):
    settings.ENCRYPTION_KEYS = [LOST]
    make_cluster(people.project, name="lost", token="planted")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match="1 secrets were written with a key that is not in ENCRYPTION_KEYS"):
        rotate()
    settings.ENCRYPTION_KEYS = [NEW, LOST]
    assert Cluster.objects.get(name="lost").token.reveal() == "planted"


def test_without_a_key_there_is_nothing_to_rotate_with(settings):
    settings.ENCRYPTION_KEYS = []
    with pytest.raises(CommandError, match="ENCRYPTION_KEYS is not set"):
        rotate()


def test_only_what_is_secret_is_written_and_nobody_else_is_touched(people, secrets, settings):
    make_user()
    before = {row.pk: row.last_used_at for row in Authenticator.objects.all()}
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    rotate()
    assert {row.pk: row.last_used_at for row in Authenticator.objects.all()} == before
    codes = Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES)
    assert codes.data["used_mask"] == 0

"""Setting up stores: tried before they are saved, and never moved away under the copies they hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.errors import PrivilegeMissing
from backups.states import CopyState
from clusters.errors import ClusterRefused
from clusters.models import Store
from clusters.services import set_store, store_for, try_store
from dataplane.errors import StoreFull, StoreReadOnly
from dataplane.stores.base import ObjectStore
from dataplane.stores.check import CheckStep, check_store
from dataplane.stores.local import LocalStore
from tests.builders import OREGON, VIRGINIA, all_rows, make_backup, make_cluster, make_store, region, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(people, client) -> Client:
    client.force_login(people.owner)
    return client


def url_of(people, code: str = OREGON, name: str = "clusters:store-edit") -> str:
    return reverse(name, args=[people.organization.code, code])


def files(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*") if path.is_file()]


def test_a_folder_that_works_is_saved_and_left_as_it_was(owner, people, tmp_path):
    answer = owner.post(url_of(people), {"url": f"file://{tmp_path}"})
    assert answer.status_code == 302
    store = Store.objects.get()
    assert (store.organization, store.region_id, store.url) == (people.organization, OREGON, f"file://{tmp_path}")
    assert store.checked_at is not None
    assert store.check_failure == ""
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///no/such/folder",
        "file:///",
        "ftp://example.com/backups",
        "s3://",
        "s3://user:password@bucket",
        "s3://[",
        "relative/folder",
        "file:///" + "x" * 10_000,
    ],
)
def test_an_address_that_cannot_work_is_not_saved(owner, people, url):
    answer = owner.post(url_of(people), {"url": url})
    assert answer.status_code == 422
    assert not Store.objects.exists()


@pytest.mark.parametrize("failure", [StoreFull("No space is left."), StoreReadOnly("It cannot be written.")])
def test_a_full_or_read_only_store_is_not_saved(owner, people, tmp_path, monkeypatch, failure):
    def fail(store: LocalStore, key: str, data: object) -> None:
        raise failure

    monkeypatch.setattr(LocalStore, "write", fail)
    answer = owner.post(url_of(people), {"url": f"file://{tmp_path}"})
    assert answer.status_code == 422
    assert str(failure) in text_of(answer)
    assert not Store.objects.exists()


def test_a_region_that_does_not_exist_is_not_found(owner, people, tmp_path):
    assert owner.post(url_of(people, "gcp-mars-north1"), {"url": f"file://{tmp_path}"}).status_code == 404


def test_a_store_that_holds_copies_keeps_its_address(owner, people, stores_root, tmp_path):
    store = make_store(people.organization, OREGON, root=stores_root)
    backup = make_backup(make_cluster(people.project))
    before = all_rows()
    answer = owner.post(url_of(people), {"url": f"file://{tmp_path}"})
    assert answer.status_code == 422
    assert "already holds copies" in text_of(answer)
    assert all_rows() == before
    backup.copies.update(state=CopyState.DELETED, deleted_at=backup.created_at)
    assert owner.post(url_of(people), {"url": f"file://{tmp_path}"}).status_code == 302
    store.refresh_from_db()
    assert store.url == f"file://{tmp_path}"


S3 = "s3://backups/us-west1"
KEYS = "access_key_id=a\nsecret_access_key=b\n"


@pytest.fixture
def any_bucket_works(monkeypatch):
    """Every store passes the test, so that the tests below need no bucket."""
    passed = [CheckStep(what="Write", ok=True, detail="")]
    monkeypatch.setattr("clusters.services.check_store", lambda store: passed)


@pytest.fixture
def bucket(people, any_bucket_works) -> Store:
    """A bucket at another server than the provider's, which holds copies."""
    store = Store.objects.create(
        organization=people.organization,
        region=region(OREGON),
        url=S3,
        options=KEYS + "endpoint=http://one.example.com\nregion=us-west1",
    )
    make_backup(make_cluster(people.project))
    return store


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (KEYS + "endpoint=http://two.example.com\nregion=us-west1", "endpoint"),
        (KEYS + "endpoint=http://one.example.com\nregion=eu", "region"),
        (KEYS + "endpoint=http://one.example.com", "region"),
        (KEYS + "aws_endpoint=http://two.example.com\nregion=us-west1", "aws_endpoint, endpoint"),
        (KEYS + "endpoint=http://one.example.com\nregion=us-west1\nunheard_of=x", "unheard_of"),
        (KEYS, "endpoint, region"),
    ],
)
def test_options_that_lead_to_another_place_are_part_of_the_address(owner, people, bucket, options, named):
    before = all_rows()
    answer = owner.post(url_of(people), {"url": S3, "options": options})
    assert answer.status_code == 422
    assert f"already holds copies at {S3}, so its place cannot change ({named})" in text_of(answer)
    assert all_rows() == before


@pytest.mark.parametrize(
    "credentials",
    [
        "access_key_id=c\nsecret_access_key=d",
        "aws_access_key_id=c\nAWS_SECRET_ACCESS_KEY=d\nAWS_SESSION_TOKEN=e\ntimeout=9s",
    ],
)
def test_credentials_can_change_under_copies(owner, people, bucket, credentials):
    options = credentials + "\nREGION=us-west1\nendpoint=http://one.example.com"
    assert owner.post(url_of(people), {"url": S3, "options": options}).status_code == 302
    assert "c" in Store.objects.get().read_options().values()


def test_options_whose_key_is_lost_can_be_typed_again_at_the_same_address(owner, people, bucket, settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    sentence = f"The stored options of {OREGON} cannot be read: ENCRYPTION_KEYS has changed."
    assert owner.get(reverse("clusters:store-list")).status_code == 200
    assert sentence in text_of(owner.post(url_of(people, name="clusters:store-check")))
    assert sentence in text_of(owner.post(url_of(people), {"url": S3}))
    assert owner.post(url_of(people), {"url": S3, "options": KEYS}).status_code == 302
    assert Store.objects.get().read_options()["access_key_id"] == "a"


def test_without_usable_keys_options_are_refused_with_a_sentence(owner, people, tmp_path, settings):
    settings.ENCRYPTION_KEYS = []
    answer = owner.post(url_of(people), {"url": f"file://{tmp_path}", "options": "region=x"})
    assert answer.status_code == 422
    assert "ENCRYPTION_KEYS is not set" in text_of(answer)
    assert owner.post(url_of(people), {"url": f"file://{tmp_path}"}).status_code == 302


def test_a_copy_that_arrives_during_the_test_keeps_the_address(owner, people, stores_root, tmp_path, monkeypatch):
    store = make_store(people.organization, OREGON, root=stores_root)
    checked = check_store

    def arrive(tried: ObjectStore) -> list[CheckStep]:
        make_backup(make_cluster(people.project))
        return checked(tried)

    monkeypatch.setattr("clusters.services.check_store", arrive)
    answer = owner.post(url_of(people), {"url": f"file://{tmp_path}"})
    assert answer.status_code == 422
    assert "already holds copies" in text_of(answer)
    assert Store.objects.get().url == store.url


def test_two_people_who_edit_a_store_at_once_do_not_overwrite_each_other(
    owner, people, stores_root, tmp_path, monkeypatch
):
    make_store(people.organization, OREGON, root=stores_root)
    checked = check_store

    def overtake(tried: ObjectStore) -> list[CheckStep]:
        Store.objects.update(url="file:///somebody/elses")
        return checked(tried)

    monkeypatch.setattr("clusters.services.check_store", overtake)
    answer = owner.post(url_of(people), {"url": f"file://{tmp_path}"})
    assert answer.status_code == 422
    assert "Somebody changed this store meanwhile" in text_of(answer)
    assert Store.objects.get().url == "file:///somebody/elses"


def test_a_refused_edit_leaves_the_result_of_the_last_test_alone(owner, people, stores_root):
    store = make_store(people.organization, OREGON, root=stores_root)
    owner.post(url_of(people, name="clusters:store-check"))
    before = all_rows()
    assert owner.post(url_of(people), {"url": f"file://{stores_root}/absent"}).status_code == 422
    assert all_rows() == before
    try_store(store)
    assert all_rows() == before


def test_credentials_are_encrypted_kept_when_left_empty_and_never_shown(owner, people, tmp_path):
    form = {"url": f"file://{tmp_path}", "options": "aws_secret_access_key=very-secret\nendpoint=http://x"}
    assert owner.post(url_of(people), form).status_code == 302
    with connection.cursor() as cursor:
        cursor.execute("SELECT options FROM clusters_store")
        assert "very-secret" not in cursor.fetchone()[0]
    assert owner.post(url_of(people), {"url": f"file://{tmp_path}", "options": ""}).status_code == 302
    assert Store.objects.get().read_options()["aws_secret_access_key"] == "very-secret"
    for url in (url_of(people), reverse("clusters:store-list")):
        assert "very-secret" not in owner.get(url).content.decode()


def test_testing_a_store_shows_each_step_and_remembers_a_failure(owner, people, stores_root):
    store = make_store(people.organization, OREGON, root=stores_root)
    url = url_of(people, name="clusters:store-check")
    assert owner.post(url).status_code == 200
    store.refresh_from_db()
    assert store.checked_at is not None
    assert store.check_failure == ""
    shutil.rmtree(stores_root / OREGON)
    assert "is not there" in text_of(owner.post(url))
    store.refresh_from_db()
    assert "is not there" in store.check_failure
    assert "is not there" in text_of(owner.get(reverse("clusters:store-list")))


def test_only_those_who_manage_the_stores_see_where_they_are_and_what_failed(people, client, stores_root):
    store = make_store(people.organization, OREGON, root=stores_root)
    Store.objects.update(check_failure="Disk gone.", checked_at=store.organization.created_at)
    for who in ("owner", "project_admin", "viewer", "billing_admin"):
        client.force_login(getattr(people, who))
        words = text_of(client.get(reverse("clusters:store-list")))
        for secret in (store.url, "Disk gone."):
            assert (secret in words) == (who == "owner"), who
        assert ("Set up" in words) == (who != "owner"), who
        assert "None" in words


def test_a_region_without_a_store_cannot_be_tested(owner, people):
    assert owner.post(url_of(people, VIRGINIA, name="clusters:store-check")).status_code == 404


def test_a_failed_test_of_a_new_store_writes_nothing(people, tmp_path):
    store = Store(organization=people.organization, region=region(OREGON), url=f"file://{tmp_path}/absent")
    steps = try_store(store)
    assert not steps[-1].ok
    assert not Store.objects.exists()


def test_the_service_itself_asks_for_the_right(people, tmp_path):
    for who in (people.project_admin, people.viewer, people.stranger):
        with pytest.raises(PrivilegeMissing, match="cluster: manage"):
            set_store(
                user=who,
                organization=people.organization,
                region=region(OREGON),
                url=f"file://{tmp_path}",
                options=None,
            )
    assert not Store.objects.exists()


def test_stores_of_other_organizations_are_not_used(people):
    make_store(people.stranger.organization_memberships.get().organization, OREGON)
    with pytest.raises(ClusterRefused, match="No store is set up"):
        store_for(people.organization.pk, OREGON)

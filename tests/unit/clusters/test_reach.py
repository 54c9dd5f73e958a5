"""Addresses that people type, on the pages and for the workers: nothing of this machine, and no folder of others."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from clusters import live
from clusters.models import Cluster, Store
from dataplane.errors import DataPlaneError, EndpointInvalid, StoreMisconfigured
from dataplane.milvus_connection import Connection
from tests.builders import OREGON, VIRGINIA, make_cluster, make_store, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(people, client, settings, stores_root) -> Client:
    settings.ALLOWED_NETWORKS, settings.LOCAL_STORES_ROOT = [], stores_root
    client.force_login(people.owner)
    return client


def save_store(client: Client, people, url: str, options: str = "", region: str = OREGON):
    address = reverse("clusters:store-edit", args=[people.organization.code, region])
    return client.post(address, {"url": url, "options": options})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "169.254.169.254", "10.0.0.1"])
def test_a_cluster_on_this_machine_or_in_a_network_that_is_not_allowed_is_not_registered(owner, people, host):
    form = {"project": people.project.code, "name": "inner", "plan": "dedicated", "region": OREGON, "cu_size": "1"}
    answer = owner.post(reverse("clusters:cluster-create"), form | {"endpoint": f"http://{host}:19530", "token": "t"})
    assert answer.status_code == 422
    # A name inside is no news for whoever types it: the page does not say what it means.
    assert "leads to an address that this site may not reach" in text_of(answer)
    assert not Cluster.objects.exists()


def test_a_cluster_that_was_registered_before_is_not_reached_either(owner, people):
    cluster = make_cluster(people.project, endpoint="http://127.0.0.1:19530")
    assert "may not reach" in text_of(owner.get(cluster.get_absolute_url()))
    # What a worker does with it.
    with pytest.raises(EndpointInvalid), Connection(live.endpoint_of(cluster)):
        pass


def test_an_embedded_cluster_is_reached_because_nobody_typed_its_address(owner, people):
    cluster = make_cluster(people.project, endpoint="http://127.0.0.1:1", is_embedded=True)
    assert live.endpoint_of(cluster).reach is None


@pytest.mark.parametrize("path", ["", "/..", "/../elsewhere", "/link", "/link/inner"])
def test_only_a_folder_below_the_one_set_aside_becomes_a_store(owner, people, stores_root, path):
    (stores_root.parent / "elsewhere" / "inner").mkdir(parents=True)
    (stores_root / "link").symlink_to(stores_root.parent / "elsewhere")
    answer = save_store(owner, people, f"file://{stores_root}{path}")
    assert answer.status_code == 422
    assert "LOCAL_STORES_ROOT" in text_of(answer)
    assert not Store.objects.exists()


def test_a_store_outside_is_not_opened_even_if_its_row_says_so(owner, people, tmp_path):
    store = make_store(people.organization, OREGON, root=tmp_path / "outside")
    with pytest.raises(StoreMisconfigured, match="LOCAL_STORES_ROOT"):
        store.open()


@pytest.mark.parametrize("theirs", ["a", "a/b", "a/b/c"])
def test_a_folder_in_or_around_that_of_another_organization_is_refused_without_naming_it(
    owner, people, stores_root, theirs
):
    (stores_root / "a" / "b" / "c").mkdir(parents=True)
    stranger = people.stranger.organization_memberships.get().organization
    Store.objects.create(organization=stranger, region_id=VIRGINIA, url=f"file://{stores_root / theirs}")
    answer = save_store(owner, people, f"file://{stores_root / 'a' / 'b'}")
    assert answer.status_code == 422
    assert "for your organization alone" in text_of(answer)
    assert "Elsewhere" not in text_of(answer)
    assert (
        save_store(owner, people, f"file://{stores_root / 'a' / 'b'}x").status_code == 422
    )  # not there: another reason


def test_a_folder_of_ones_own_is_fine_beside_that_of_another_organization(owner, people, stores_root):
    for name in ("ours", "theirs"):
        (stores_root / name).mkdir()
    stranger = people.stranger.organization_memberships.get().organization
    Store.objects.create(organization=stranger, region_id=OREGON, url=f"file://{stores_root / 'theirs'}")
    assert save_store(owner, people, f"file://{stores_root / 'ours'}").status_code == 302


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("access_key_id=a\nsecret_access_key=b\nendpoint=http://127.0.0.1:9000", "ALLOWED_NETWORKS"),
        ("access_key_id=a\nsecret_access_key=b\nmetadata_endpoint=http://10.0.0.1", "metadata_endpoint"),
        ("", "has no credentials"),
    ],
)
def test_a_bucket_that_leads_to_this_machine_or_borrows_its_identity_is_not_saved(owner, people, options, reason):
    answer = save_store(owner, people, "s3://backups/us", options)
    assert answer.status_code == 422
    assert reason in text_of(answer)
    assert not Store.objects.exists()


def test_an_operator_decides_otherwise_by_settings(people, settings):
    store = Store(organization=people.organization, region_id=OREGON, url="s3://backups")
    with pytest.raises(DataPlaneError):
        store.open()
    settings.HOST_CREDENTIALS = True
    assert store.open().name.startswith(OREGON)

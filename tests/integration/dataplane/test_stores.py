"""Stores that need a network or a disk of their own."""

import itertools
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from dataplane import layout
from dataplane.copy import CopyPlan, copy_backup
from dataplane.errors import StoreDenied, StoreError, StoreFull, StoreMisconfigured, StoreReadOnly, StoreUnreachable
from dataplane.reach import Reach
from dataplane.stores.base import ObjectStore
from dataplane.stores.check import check_store
from dataplane.stores.faulty import FaultyStore
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore
from dataplane.stores.open import open_store
from dataplane.verify import verify_backup
from tests.integration.dataplane.conftest import missing_part
from tests.site import free_port
from tests.unit.dataplane.builders import CLUSTER, all_keys, always_allowed, ignore, never, store_backup
from tests.unit.dataplane.store_contract import StoreContract

folders = itertools.count()


def open_bucket(s3_url: str, url: str = "", secret: str = "something") -> ObjectStore:
    """The bucket at `url`, else an unused folder of the test bucket."""
    options = {"endpoint": s3_url, "access_key_id": "someone", "secret_access_key": secret, "region": "us-east-1"}
    reach = Reach(networks=(ip_network("127.0.0.1/32"),))  # as for a store that somebody typed
    url = url or f"s3://backups/folder-{next(folders)}"
    return open_store(url, options=options, name="aws-us-east-1", reach=reach)


class TestBucketStore(StoreContract):
    @pytest.fixture
    def store(self, s3_url: str) -> ObjectStore:
        return open_bucket(s3_url)


def test_a_backup_goes_from_a_folder_to_a_bucket_and_back(s3_url: str, tmp_path: Path) -> None:
    local, bucket, back = LocalStore(tmp_path), open_bucket(s3_url), MemoryStore()
    store_backup(local, [bytes([number]) * 300_000 for number in range(12)])
    for source, target in ((local, bucket), (bucket, back)):
        plan = CopyPlan(CLUSTER, "backup-1", "here", "there", fence=1)
        report = copy_backup(
            plan, source=source, target=target, on_progress=ignore, should_stop=never, may_commit=always_allowed
        )
        assert report.sent_bytes == 3_600_000
        assert verify_backup(
            cluster_id=CLUSTER, backup_id="backup-1", store=target, on_progress=ignore, should_stop=never
        ).is_sound
    assert all_keys(back) == all_keys(bucket) == all_keys(local)
    chunks = layout.chunks_prefix(CLUSTER)
    assert [local.read_bytes(info.key) for info in local.list(chunks)] == [
        back.read_bytes(info.key) for info in back.list(chunks)
    ]


@pytest.mark.parametrize("bucket", ["backups", "others"])
def test_a_copy_at_one_server_is_made_by_the_server_and_holds_up_when_read_back(s3_url: str, bucket: str) -> None:
    source, inner = open_bucket(s3_url), open_bucket(s3_url, f"s3://{bucket}/folder-{next(folders)}/below")
    target = FaultyStore(inner)
    store_backup(source, [bytes([number]) * 300_000 for number in range(6)])
    plan = CopyPlan(CLUSTER, "backup-1", "here", "there", fence=1)
    copy_backup(plan, source=source, target=target, on_progress=ignore, should_stop=never, may_commit=always_allowed)
    chunks = layout.chunks_prefix(CLUSTER)
    assert {verb for verb, key in target.calls if key.startswith(chunks)} == {"find", "copy"}
    assert verify_backup(
        cluster_id=CLUSTER, backup_id="backup-1", store=inner, on_progress=ignore, should_stop=never
    ).is_sound
    assert all_keys(inner) == all_keys(source)


def test_a_server_that_cannot_copy_an_object_says_so(s3_url: str) -> None:
    copy = open_bucket(s3_url, "s3://others").copier(open_bucket(s3_url))
    assert copy is not None
    with pytest.raises(StoreError, match="could not copy none"):
        copy("none")


def test_bytes_pass_through_us_where_servers_or_credentials_differ(s3_url: str, tmp_path: Path) -> None:
    target = open_bucket(s3_url)
    others = (
        open_bucket(s3_url, secret="another"),
        open_bucket(f"http://127.0.0.1:{free_port()}"),
        LocalStore(tmp_path),
        MemoryStore(),
    )
    for source in others:
        assert target.copier(source) is None
        assert source.copier(target) is None


def test_wrong_credentials_are_denied_without_being_shown(s3_url: str) -> None:
    store = open_bucket(s3_url, secret="wrong-secret")
    for attempt in (lambda: list(store.list("")), lambda: store.read_bytes("key"), lambda: store.write("key", b"x")):
        with pytest.raises(StoreDenied, match="Check the store's credentials") as denied:
            attempt()
        assert "wrong-secret" not in str(denied.value)


def test_a_bucket_that_does_not_exist_is_a_mistake_and_not_an_empty_store(s3_url: str) -> None:
    store = open_bucket(s3_url, "s3://no-such-bucket")
    with pytest.raises(StoreMisconfigured, match="bucket"):
        store.read_bytes("key")
    with pytest.raises(StoreMisconfigured, match="bucket"):
        list(store.list(""))


def test_an_endpoint_where_nobody_listens_is_unreachable() -> None:
    store = open_bucket(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnreachable, match="aws-us-east-1"):
        store.write("key", b"x")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system in memory; needs the right to mount."""
    mounted: list[Path] = []

    def mount_with(options: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            missing_part("A small disk cannot be mounted here: run the tests as a user who may mount tmpfs.")
        mounted.append(folder)
        return folder

    yield mount_with
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_disk_says_so(mount: Callable[[str], Path]) -> None:
    store = LocalStore(mount("ro,size=64k"), name="gcp-europe-west3")
    with pytest.raises(StoreReadOnly, match="gcp-europe-west3"):
        store.write("key", b"x")
    (step,) = check_store(store)
    assert (step.what, step.ok) == ("Write", False)
    assert "read-only" in step.detail


def test_a_full_disk_says_so_and_keeps_what_it_held(mount: Callable[[str], Path]) -> None:
    store = LocalStore(mount("size=128k"), name="gcp-europe-west3")
    store.write("kept", b"x" * 8000)
    with pytest.raises(StoreFull, match="no space is left"):
        store.write("large", b"x" * 1_000_000)
    assert all_keys(store) == ["kept"]
    assert store.write("small", b"fits again").size_bytes == 10


def test_a_disk_that_was_not_mounted_is_unreachable_and_not_empty(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable):
        list(LocalStore(tmp_path / "mnt").list(""))

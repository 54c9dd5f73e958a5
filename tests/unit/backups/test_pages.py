"""The catalogue in the browser: what is shown of a backup and its copies, and renaming."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.errors import PrivilegeMissing
from backups.errors import BackupRefused
from backups.models import Backup
from backups.services import rename_backup
from backups.states import UNSETTLED, BackupState, CopyState
from clusters.models import Cluster, Region
from jobs.models import Job
from jobs.states import JobState, JobType
from tests.builders import (
    FRANKFURT,
    OREGON,
    VIRGINIA,
    all_rows,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster(people) -> Cluster:
    return make_cluster(people.project, name="docs")


@pytest.fixture
def admin(people, client) -> Client:
    client.force_login(people.project_admin)
    return client


def rename_url(backup: Backup) -> str:
    return reverse("backups:backup-rename", args=[backup.code])


def test_a_green_backup_and_its_failed_copy_are_shown_as_two_states(admin, cluster):
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.AVAILABLE, FRANKFURT: CopyState.FAILED})
    for url in (backup.get_absolute_url(), reverse("backups:backup-list")):
        page = admin.get(url).content.decode()
        assert page.count('class="status" data-state="failed"') == 1
        assert 'class="status" data-state="available"' in page


def test_a_copy_that_was_never_proven_says_so(admin, cluster):
    backup = make_backup(cluster, copies={FRANKFURT: CopyState.TRANSFERRING})
    page = admin.get(backup.get_absolute_url()).content.decode()
    row = page.partition(f'id="copy-{FRANKFURT}"')[2].partition("</tr>")[0]
    assert 'data-state="transferring"' in row
    assert "Never" in row
    assert "Restore" not in row


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (CopyState.AVAILABLE, "every object read back"),
        (CopyState.DAMAGED, "sound then, found damaged since"),
        (CopyState.FAILED, "sound then, failed since"),
        (CopyState.TRANSFERRING, "sound then"),
    ],
)
def test_a_copy_is_called_read_back_only_while_that_still_stands(admin, cluster, state, words):
    backup = make_backup(cluster)
    make_copy(backup, FRANKFURT, state=state, verified_at=backup.created_at)
    row = admin.get(backup.get_absolute_url()).content.decode().partition(f'id="copy-{FRANKFURT}"')[2]
    assert f"<small>{words}</small>" in row.partition("</tr>")[0]


@pytest.mark.parametrize("state", list(CopyState))
def test_the_copies_ask_again_exactly_while_one_is_on_its_way(admin, cluster, state):
    backup = make_backup(cluster, copies={VIRGINIA: state})
    for name in ("backups:backup-detail", "backups:backup-copies"):
        page = admin.get(reverse(name, args=[backup.code])).content
        assert (b"hx-get" in page) == (state in UNSETTLED), name


@pytest.mark.parametrize(
    ("state", "held", "sentence"),
    [
        (BackupState.CREATING, (), "The list is written when the backup has been taken."),
        (BackupState.FAILED, (), "None: the backup failed."),
        (BackupState.FAILED, ("docs",), "None of them is kept, because the backup failed."),
        (BackupState.CANCELED, (), "None: the backup was canceled."),
        (BackupState.CANCELED, ("docs",), "None of them is kept, because the backup was canceled."),
        (BackupState.AVAILABLE, (), "None: the cluster held no collection."),
    ],
)
def test_the_part_that_renews_itself_says_what_is_true_of_the_collections(admin, cluster, state, held, sentence):
    backup = make_backup(cluster, state=state, original_state=CopyState.PLANNED, collections=held)
    words = text_of(admin.get(reverse("backups:backup-copies", args=[backup.code])))
    assert sentence in words
    assert words.count("The list is written") == (state == BackupState.CREATING)
    assert all(name in words for name in held)


def test_what_was_left_out_is_listed(admin, cluster):
    backup = make_backup(cluster, exclusions=[{"what": "password of db_admin", "why": "a restore makes a new one"}])
    words = text_of(admin.get(backup.get_absolute_url()))
    assert "Left out on purpose password of db_admin : a restore makes a new one" in words


def test_manual_copies_are_kept_until_deleted_and_automatic_ones_for_days(admin, cluster):
    assert "Until deleted" in text_of(admin.get(make_backup(cluster).get_absolute_url()))
    assert "7 days" in text_of(admin.get(make_backup(cluster, kept_days=7).get_absolute_url()))


def test_a_deleted_backup_leaves_the_list_but_keeps_its_page(admin, cluster):
    backup = make_backup(cluster, state=BackupState.DELETED, original_state=CopyState.DELETED)
    assert backup.name not in text_of(admin.get(reverse("backups:backup-list")))
    assert backup.name in text_of(admin.get(backup.get_absolute_url()))


@pytest.mark.parametrize("name", ["jobs:restore-create", "jobs:backup-delete"])
def test_a_deleted_backup_can_be_neither_restored_nor_deleted(admin, cluster, name):
    backup = make_backup(cluster, state=BackupState.DELETED, original_state=CopyState.DELETED)
    assert admin.get(reverse(name, args=[backup.code])).status_code == 404


def buttons_of(page: str, region: str) -> dict[str, bool]:
    """The words on each button beside a copy, and whether it can be pressed."""
    row = page.partition(f'id="copy-{region}"')[2].partition("</tr>")[0]
    found = re.findall(r"<button([^>]*)>([^<]*)", row)
    return {words: " disabled" not in attributes for attributes, words in found}


def test_what_can_be_done_with_a_copy_depends_on_its_state(admin, cluster):
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.DAMAGED, FRANKFURT: CopyState.FAILED})
    page = admin.get(backup.get_absolute_url()).content.decode()
    assert buttons_of(page, OREGON) == {"Check now": True, "Quick check": True}
    assert buttons_of(page, VIRGINIA) == {"Copy again": True, "Check now": True, "Quick check": True, "Repair": True}
    assert buttons_of(page, FRANKFURT) == {"Copy again": True}


def test_a_copy_at_work_shows_the_job_and_why_no_other_can_begin(admin, cluster):
    copy = make_backup(cluster, original_state=CopyState.DAMAGED, copies={VIRGINIA: CopyState.AVAILABLE}).copies.get(
        is_original=True
    )
    job = make_job(copy, type=JobType.REPAIR, state=JobState.IN_PROGRESS)
    page = admin.get(copy.backup.get_absolute_url()).content.decode()
    assert buttons_of(page, OREGON) == {"Check now": False, "Quick check": False, "Repair": False}
    assert f'href="{job.get_absolute_url()}">Repair copy in Oregon, in progress</a>' in page
    assert "Another job works on this copy: Repair copy in Oregon, in progress. Wait until it has ended." in page
    assert "hx-get" in page  # until it has ended
    assert buttons_of(page, VIRGINIA) == {"Check now": True, "Quick check": True}


def test_a_damaged_copy_that_nothing_could_mend_says_why(admin, cluster):
    page = admin.get(make_backup(cluster, original_state=CopyState.DAMAGED).get_absolute_url()).content.decode()
    assert buttons_of(page, OREGON) == {"Check now": True, "Quick check": True, "Repair": False}
    assert "No other region holds anything of this cluster to repair it from." in page


@pytest.mark.parametrize(("depth", "expected"), [("full", "full"), ("quick", "quick"), ("nonsense", "full")])
def test_the_buttons_queue_a_check_and_lead_to_it(admin, cluster, depth, expected):
    backup = make_backup(cluster)
    answer = admin.post(reverse("jobs:copy-check", args=[backup.code, OREGON]), {"depth": depth})
    job = Job.objects.get()
    assert answer["Location"] == job.get_absolute_url()
    assert (job.type, job.parameters) == (JobType.VERIFY, {"depth": expected})
    assert ("Quick: every object is there" in text_of(admin.get(job.get_absolute_url()))) == (expected == "quick")


def test_a_repair_is_queued_by_its_button_and_a_second_one_is_refused(admin, cluster):
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.DAMAGED})
    url = reverse("jobs:copy-repair", args=[backup.code, VIRGINIA])
    assert admin.post(url)["Location"] == Job.objects.get().get_absolute_url()
    before = all_rows()
    assert "Another job works on this copy" in text_of(admin.post(url, follow=True))
    assert all_rows() == before


@pytest.mark.parametrize("name", ["jobs:copy-check", "jobs:copy-repair"])
def test_a_copy_that_is_not_there_is_not_found(admin, cluster, name):
    assert admin.post(reverse(name, args=[make_backup(cluster).code, FRANKFURT])).status_code == 404


def test_twenty_copies_with_savings_and_jobs_cost_as_many_queries_as_two(admin, cluster):
    backup = make_backup(cluster)
    url = backup.get_absolute_url()
    regions = list(Region.objects.filter(provider="gcp").exclude(code=OREGON).values_list("code", flat=True))

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(url).status_code == 200
        return len(captured)

    def add(region: str, state: str) -> None:
        copy = make_copy(backup, region, state=state, skipped_bytes=5, sent_bytes=0)
        make_job(copy, type=JobType.VERIFY, parameters={"depth": "full"})

    add(regions[0], CopyState.AVAILABLE)
    add(regions[1], CopyState.DAMAGED)
    queries()
    few = queries()
    for number, region in enumerate(regions[2:20]):
        add(region, CopyState.DAMAGED if number % 2 else CopyState.AVAILABLE)
    assert queries() == few


def test_an_empty_list_says_the_next_step(admin):
    assert b'class="empty' in admin.get(reverse("backups:backup-list")).content


def test_who_may_only_look_has_no_buttons(cluster, people, client):
    client.force_login(people.viewer)
    page = client.get(make_backup(cluster).get_absolute_url()).content.decode()
    for path in ("/restore/", "/rename/", "/delete/", "/check/", "/repair/"):
        assert path not in page


def test_two_backups_never_share_a_name(admin, cluster):
    first, second = make_backup(cluster, name="before the move"), make_backup(cluster)
    answer = admin.post(reverse("backups:backup-rename", args=[second.code]), {"name": first.name})
    assert answer.status_code == 422
    assert "There is another backup called before the move" in text_of(answer)
    second.refresh_from_db()
    assert second.name != first.name


def test_a_backup_is_renamed(admin, cluster):
    backup = make_backup(cluster)
    assert admin.post(rename_url(backup), {"name": "  before the upgrade "}).status_code == 302
    backup.refresh_from_db()
    assert backup.name == "before the upgrade"


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "x" * 10_000, "a\x00b"])
def test_a_bad_name_is_refused_and_the_old_one_stays(admin, cluster, name):
    backup = make_backup(cluster)
    before = all_rows()
    assert admin.post(rename_url(backup), {"name": name}).status_code == 422
    assert all_rows() == before


@pytest.mark.parametrize(("name", "sentence"), [("", "needs a name"), (" ", "needs a name"), ("x" * 10_000, "10,000")])
def test_the_service_itself_refuses_a_bad_name(people, cluster, name, sentence):
    backup = make_backup(cluster)
    before = all_rows()
    with pytest.raises(BackupRefused, match=sentence):
        rename_backup(user=people.owner, backup=backup, name=name)
    assert all_rows() == before


@pytest.mark.parametrize("who", ["viewer", "operator", "cluster_viewer", "billing_admin", "stranger"])
def test_the_service_itself_asks_for_the_right(people, cluster, who):
    with pytest.raises(PrivilegeMissing, match="backup: manage"):
        rename_backup(user=getattr(people, who), backup=make_backup(cluster), name="mine")


@pytest.mark.parametrize("where", ["all", "of one cluster"])
def test_pages_of_backups_go_to_the_oldest_and_back_and_leave_out_what_is_deleted(admin, cluster, monkeypatch, where):
    monkeypatch.setattr("backups.views.PAGE_SIZE", 2)
    url = reverse("backups:backup-list") if where == "all" else reverse("backups:cluster-backups", args=[cluster.code])
    states = [BackupState.AVAILABLE, BackupState.DELETED, BackupState.FAILED, BackupState.CREATING]
    backups = [make_backup(cluster, state=state) for state in (*states, BackupState.AVAILABLE, BackupState.CANCELED)]
    names = [backup.code for backup in reversed(backups) if backup.state != BackupState.DELETED]

    def shown(query: str) -> list[str]:
        return re.findall(r'<td><a href="/backups/([^/]+)/"', admin.get(url + query).content.decode())

    assert shown("") == shown("?before=nonsense") == names[:2]
    older = f"?before={names[1]}"
    make_backup(cluster)
    assert shown(older) == names[2:4]
    assert shown(f"?before={names[3]}") == names[4:]
    assert shown(f"?after={names[4]}") == names[2:4]

"""What sending only what changed has saved, in bytes, in money and in words."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from backups.models import Copy
from backups.states import CopyState
from clusters.models import Cluster
from dashboard.costs import costs_of
from jobs.savings import savings_of
from jobs.states import JobState
from jobs.wording import describe_saving
from pricing.models import PriceSheet
from tests.builders import FRANKFURT, VIRGINIA, make_backup, make_cluster, make_copy, make_job, text_of

GB = 10**9


@pytest.fixture
def cluster(people) -> Cluster:
    return make_cluster(people.project, name="docs")


def incremental(cluster: Cluster, region: str = VIRGINIA, **changes: Any) -> Copy:
    """20 GB, of which 1.2 GB had to be sent."""
    values: dict[str, Any] = {
        "size_bytes": 20 * GB,
        "sent_bytes": 1_200_000_000,
        "skipped_bytes": 18_800_000_000,
    } | changes
    return make_copy(make_backup(cluster), region, **values)


@pytest.mark.parametrize(
    ("size", "sent", "skipped", "saved"),
    [
        (20, 20, 0, 0),
        (20, 1, 19, 19),
        (20, 0, 20, 20),
        (20, 20, 20, 0),  # an attempt that died had sent everything: the next found it there
        (20, 15, 10, 5),  # half of what was found there had been sent by an earlier attempt
        (20, 25, 18, 0),  # made again: more was sent than it holds
        (None, 3, 0, 0),
    ],
)
def test_only_what_never_had_to_be_sent_for_this_copy_is_saved(size, sent, skipped, saved):
    assert Copy(size_bytes=size, sent_bytes=sent, skipped_bytes=skipped).saved_bytes == saved


def test_an_original_saves_nothing():
    assert Copy(is_original=True, size_bytes=20, skipped_bytes=20).saved_bytes == 0


@pytest.mark.parametrize(
    ("sent", "saved", "amount", "words"),
    [
        (1_200_000_000, 18_800_000_000, Decimal("0.376"), "sent 1.20 GB, 18.80 GB were already there: $0.38 saved"),
        (0, 3_100, Decimal("0.000000062"), "sent 0 B, 3.10 kB were already there: $0.000000062 saved"),
        (5, 7, None, "sent 5 B, 7 B were already there"),
    ],
)
def test_a_saving_reads_as_a_sentence_however_small_it_is(sent, saved, amount, words):
    assert describe_saving(sent, saved, amount, "USD") == words


@pytest.mark.django_db
def test_a_saving_has_the_price_of_the_way_that_was_not_gone(cluster):
    near, far, whole = incremental(cluster), incremental(cluster, FRANKFURT), make_copy(make_backup(cluster), VIRGINIA)
    savings = savings_of([near, far, whole], on=timezone.now().date())
    assert {pk: saving.amount for pk, saving in savings.items()} == {
        near.pk: Decimal("0.376"),  # $0.02 within North America
        far.pk: Decimal("1.504"),  # $0.08 to Europe
    }
    PriceSheet.objects.all().delete()
    assert savings_of([near], on=timezone.now().date())[near.pk].amount is None


@pytest.mark.django_db
def test_the_page_of_a_backup_shows_the_saving_beside_the_copy_that_made_it(people, cluster, client):
    client.force_login(people.viewer)
    copy = incremental(cluster)
    page = client.get(copy.backup.get_absolute_url()).content.decode()
    row = page.partition(f'id="copy-{VIRGINIA}"')[2].partition("</tr>")[0]
    assert "sent 1.20 GB, 18.80 GB were already there: $0.38 saved" in row
    assert page.count("were already there") == 1


@pytest.mark.django_db
def test_the_page_of_a_copy_job_shows_its_saving(people, cluster, client):
    client.force_login(people.viewer)
    job = make_job(incremental(cluster), state=JobState.SUCCESSFUL)
    assert "Sent 1.20 GB, 18.80 GB were already there: $0.38 saved" in text_of(client.get(job.get_absolute_url()))
    full = make_job(make_copy(make_backup(cluster), VIRGINIA), state=JobState.SUCCESSFUL)
    assert "saved" not in text_of(client.get(full.get_absolute_url()))


@pytest.mark.django_db
def test_the_costs_page_adds_up_what_was_saved_this_month(people, cluster, client):
    now = timezone.now()
    incremental(cluster), incremental(cluster, FRANKFURT)
    incremental(cluster, stored_at=now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(seconds=1))
    assert costs_of(Copy.objects.that_cost(), now=now).saved_this_month == Decimal("1.88")
    client.force_login(people.owner)
    assert "Saved this month $1.88 by sending only what changed" in text_of(client.get(reverse("dashboard:costs")))


@pytest.mark.django_db
def test_what_mended_an_original_is_paid_for(cluster):
    backup = make_backup(cluster)
    Copy.objects.filter(pk=backup.copies.get().pk).update(sent_bytes=10 * GB, source_region=VIRGINIA)
    [flow] = costs_of(Copy.objects.that_cost(), now=timezone.now()).transfer
    assert (flow.source, flow.target, flow.cost) == (VIRGINIA, cluster.region_id, Decimal("0.20"))


@pytest.mark.django_db
def test_nothing_saved_takes_no_place_on_the_costs_page(people, cluster, client):
    make_backup(cluster, copies={VIRGINIA: CopyState.AVAILABLE})
    client.force_login(people.owner)
    assert "Saved this month" not in text_of(client.get(reverse("dashboard:costs")))

"""What a backup's page shows of its copies that the catalogue does not know: see `backups.facts`."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from backups.facts import CopyFacts
from backups.models import Copy
from backups.states import CopyState

from .check_services import describe_work, why_not_checked, why_not_repaired
from .models import Job
from .savings import savings_of
from .states import CHECKS
from .wording import describe_saving


def copy_facts(copies: Sequence[Copy]) -> dict[int, CopyFacts]:
    """By row number, for copies of one backup, in as many queries for one copy as for twenty.

    They come from `for_facts()`.
    """
    work = {job.copy_id: job for job in Job.objects.working_on([copy.pk for copy in copies])}
    savings = savings_of(copies, on=timezone.now().date())
    stores = _stores_that_may_repair(copies)
    facts = {}
    for copy in copies:
        job, saving = work.get(copy.pk), savings.get(copy.pk)
        is_check = job is not None and job.type in CHECKS
        check_refusal = why_not_checked(copy, job)
        repair_refusal = why_not_repaired(copy, job, has_sources=bool(stores - {copy.store_id}))
        facts[copy.pk] = CopyFacts(
            working=describe_work(job) if job and is_check else "",
            working_url=job.get_absolute_url() if job and is_check else "",
            check_refusal=check_refusal,
            repair_refusal=repair_refusal,
            refusal=check_refusal or (repair_refusal if copy.state == CopyState.DAMAGED else ""),
            saving=(
                describe_saving(saving.sent_bytes, saving.saved_bytes, saving.amount, saving.currency) if saving else ""
            ),
        )
    return facts


def _stores_that_may_repair(copies: Sequence[Copy]) -> set[int]:
    """The stores that hold something of the cluster; looked up only if something is damaged."""
    damaged = [copy for copy in copies if copy.state == CopyState.DAMAGED]
    if not damaged:
        return set()
    others = Copy.objects.may_repair(damaged[0]).order_by().values_list("store", flat=True).distinct()
    return {*others, *(copy.store_id for copy in copies if copy.may_be_checked)}

"""What a pending job waits for, in words for its page."""

from __future__ import annotations

from django.db.models import BooleanField, Case, Value, When
from django.utils import timezone

from .barriers import Barrier, barriers
from .models import Job
from .states import EXEMPT_FROM_REGION_LIMIT, TALKS_TO_CLUSTER, JobState


def why_waiting(job: Job) -> list[str]:
    """One sentence for each thing that `job` waits for now; empty if it does not wait. At most four queries."""
    if job.state != JobState.PENDING:
        return []
    standing = _standing(job)
    sentences = [_sentence(job, barrier) for barrier in barriers() if barrier in standing]
    if not sentences and (job.not_before is None or job.not_before <= timezone.now()):
        sentences = ["Waits for a worker to be free."]
    return sentences


def _standing(job: Job) -> set[Barrier]:
    questions = {
        barrier.value: Case(When(held_back, then=True), default=Value(False), output_field=BooleanField())
        for barrier, held_back in barriers().items()
    }
    answers = Job.objects.filter(pk=job.pk).annotate(**questions).values(*questions).first() or {}
    return {Barrier(name) for name, stands in answers.items() if stands}


def _sentence(job: Job, barrier: Barrier) -> str:
    city, cluster, held = job.target_region.city, job.cluster.name, Job.objects.held()
    match barrier:
        case Barrier.CLUSTER_FULL:
            count = held.filter(cluster=job.cluster_id, type__in=TALKS_TO_CLUSTER).count()
            return f"Waits: {_jobs(count)} already talking to {cluster}."
        case Barrier.REGION_FULL:
            limited = held.filter(target_region=job.target_region_id).exclude(type__in=EXEMPT_FROM_REGION_LIMIT)
            return f"Waits: {_jobs(limited.count())} already running in {city}."
        case Barrier.REMOVAL_BESIDE:
            return f"Waits until what is being removed for {cluster} in {city} is gone; this job might rely on it."
        case Barrier.WRITER_BESIDE:
            return f"Waits until what is being written for {cluster} in {city} is complete."
        case Barrier.REPAIR_BESIDE:
            return f"Waits until a repair in {city} has ended."
        case Barrier.READER_OF_IT:
            return "Waits until the jobs that read this backup have ended."
        case Barrier.REMOVAL_OF_IT:
            return "Waits until the removal of a copy of this backup has ended."
        case Barrier.WRITER_TO_COME:
            return f"Waits until nothing more is to be written for {cluster} in {city}."
        case Barrier.REPAIR_IN_CLUSTER:
            return f"Waits until a repair for {cluster}, which may need this copy, has ended."
        case Barrier.REMOVAL_IN_CLUSTER:
            return f"Waits until the removal of a copy of {cluster}, which this job might use, has ended."


def _jobs(count: int) -> str:
    return f"{count} job is" if count == 1 else f"{count} jobs are"

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from accounts.models import Project, User
from backups.models import Backup, Copy
from backups.states import Origin
from clusters.models import Cluster, Region

from .codes import job_code
from .querysets import JobQuerySet
from .rates import Rate, measure_rate
from .schedule_models import Schedule, ScheduledRun, ScheduleTarget
from .states import ACTIVE, BESIDE_THE_COPY, FINAL, HELD, REMOVERS, JobState, JobType
from .worker_models import Worker

__all__ = ["Job", "JobEvent", "JobSample", "Schedule", "ScheduleTarget", "ScheduledRun", "Worker"]


def max_attempts() -> int:
    return settings.JOB_MAX_ATTEMPTS


def _family_index(name: str, *columns: str, beside: tuple[str, ...] = ()) -> models.Index:
    """The families of the jobs with given `columns`, newest first; see `JobQuerySet.with_family`."""
    order = (F("family_at").desc(), Coalesce("parent_id", "id").desc())
    return models.Index(*map(F, columns), *order, *map(F, beside), name=f"job_family_{name}")


# One for each filter of the jobs list, and for those pairs of which either alone may match almost every job and both
# together none. What stands beside the order answers further filters without reading the row.
_FAMILY_INDEXES = [
    _family_index("newest", "project"),
    _family_index("type", "project", "type"),
    _family_index("state", "project", "state"),
    _family_index("region", "project", "target_region"),
    _family_index("type_state", "project", "type", "state"),
    _family_index("region_state", "project", "target_region", "state"),
    _family_index("region_type", "project", "target_region", "type"),
    _family_index("cluster", "cluster", beside=("type", "target_region")),
    _family_index("cluster_state", "cluster", "state", beside=("type", "target_region")),
    _family_index("schedule", "schedule"),
]


class Job(models.Model):
    """One piece of work and the only truth about it; workers come and go."""

    code = models.CharField(max_length=40, unique=True, default=job_code, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="jobs")
    type = models.CharField(max_length=10, choices=JobType.choices)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.MANUAL)
    state = models.CharField(max_length=12, choices=JobState.choices, default=JobState.PENDING)
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="jobs")
    backup = models.ForeignKey(Backup, on_delete=models.PROTECT, related_name="jobs")
    # The copy that this job makes, reads from or removes; of a collection, one in the store whose leftovers it removes.
    copy = models.ForeignKey(Copy, on_delete=models.PROTECT, related_name="jobs")
    target_region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+")
    # The schedule that asked for it, as long as there is that schedule.
    schedule = models.ForeignKey(Schedule, null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    # What a restore was asked to do; see jobs.restores.RestoreRequest.
    parameters = models.JSONField(default=dict, blank=True)
    # Sentences for the person who asked, e.g. which shard counts were lowered.
    notes = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # When its first job was created: lists show a family together, and find it from any job in it.
    family_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    # When the bytes that `bytes_done` counts began to move: with every attempt, and again for reading them back.
    phase_started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    priority = models.PositiveSmallIntegerField(default=50)
    not_before = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=max_attempts)
    lease = models.CharField(max_length=40, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    # Grows with every claim; a manifest carries it, so a stale worker can finish nothing in a store either.
    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    # How often a worker was woken for this wait, and when to do it again; unused where workers look by themselves.
    deliveries = models.PositiveSmallIntegerField(default=0)
    deliver_after = models.DateTimeField(null=True, blank=True)

    bytes_done = models.BigIntegerField(default=0)
    bytes_total = models.BigIntegerField(default=0)
    # Of `bytes_done`, what the target of a copy held already when the bytes began to move.
    bytes_before = models.BigIntegerField(default=0)
    progress_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=1000, blank=True, help_text="The last failure, in one sentence.")

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            # R10: one manual backup per cluster at a time.
            models.UniqueConstraint(
                fields=["cluster"],
                condition=Q(type=JobType.BACKUP, origin=Origin.MANUAL, state__in=sorted(ACTIVE)),
                name="one_manual_backup_per_cluster",
            ),
            # One job at a time may write, check or remove one copy; any number may read it.
            models.UniqueConstraint(
                fields=["copy"],
                condition=~Q(type__in=BESIDE_THE_COPY) & Q(state__in=sorted(ACTIVE)),
                name="one_active_job_per_copy",
            ),
            # However many removals leave something behind, one collection looks for all of it.
            models.UniqueConstraint(
                fields=["cluster", "target_region"],
                condition=Q(type=JobType.COLLECT, state__in=sorted(ACTIVE)),
                name="one_active_collection_per_place",
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(FINAL), finished_at__isnull=False)
                | (~Q(state__in=sorted(FINAL)) & Q(finished_at__isnull=True)),
                name="finished_at_exactly_when_final",
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(HELD), lease_until__isnull=False)
                | (~Q(state__in=sorted(HELD)) & Q(lease="", lease_until__isnull=True)),
                name="lease_exactly_while_held",
            ),
        ]
        indexes = [
            models.Index(
                fields=["priority", "id"], condition=Q(state=JobState.PENDING), name="job_pending_by_priority"
            ),
            # A collection asks whether anybody is about to write in the same place.
            models.Index(
                fields=["cluster", "target_region"],
                condition=Q(state=JobState.PENDING),
                name="job_pending_by_place",
            ),
            # Held jobs are those with a lease. Said by the state they would be a list of values, which SQLite cannot
            # match with a query's parameters: it would look at every job that ever ran.
            models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name="job_held_until"),
            # Every claim asks who is at work in the same place, region and on the same backup.
            models.Index(
                fields=["cluster", "target_region"],
                condition=Q(lease_until__isnull=False),
                name="job_held_by_place",
            ),
            models.Index(fields=["target_region"], condition=Q(lease_until__isnull=False), name="job_held_by_region"),
            models.Index(fields=["backup"], condition=Q(lease_until__isnull=False), name="job_held_by_backup"),
            models.Index(fields=["project", "-created_at"]),
            # Who may see every project is shown the newest of all.
            models.Index(fields=["-created_at", "-id"], name="job_newest_first"),
            *_FAMILY_INDEXES,
            # Every hour each place is asked when it was last rid of its leftovers.
            models.Index(
                fields=["cluster", "target_region"], condition=Q(type=JobType.COLLECT), name="job_collections_by_place"
            ),
        ]
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_type_display()} {self.code}"

    def get_absolute_url(self) -> str:
        return reverse("jobs:job-detail", args=[self.code])

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def is_cancelable(self) -> bool:
        return self.state in ACTIVE and self.state != JobState.CANCELING and self.type not in REMOVERS

    @property
    def asked_by(self) -> str:
        """The person who asked for it, or what did so by itself."""
        if self.created_by is not None:
            return str(self.created_by)
        return "the site itself" if self.type == JobType.COLLECT else "schedule"

    @property
    def progress_percent(self) -> int:
        """0 to 100; 100 only when the job has succeeded."""
        if self.state == JobState.SUCCESSFUL:
            return 100
        if self.bytes_total <= 0:
            return 0
        return min(99, self.bytes_done * 100 // self.bytes_total)

    @property
    def duration(self) -> timedelta | None:
        """From the first start to the end, or to now while it runs."""
        if self.started_at is None:
            return None
        return (self.finished_at or timezone.now()) - self.started_at

    @property
    def is_at_work(self) -> bool:
        """Whether a worker holds it; a job between two attempts waits."""
        return self.state in HELD

    @property
    def rate(self) -> Rate | None:
        """How fast its bytes move, seen from now; None while that is not known."""
        if not self.is_at_work or self.phase_started_at is None or self.progress_at is None:
            return None
        now = timezone.now()
        return measure_rate(
            moved_bytes=self.bytes_done - self.bytes_before,
            left_bytes=self.bytes_total - self.bytes_done,
            seconds=(now - self.phase_started_at).total_seconds(),
            silent_seconds=(now - self.progress_at).total_seconds(),
        )


class JobEvent(models.Model):
    """One line of a job's history; written with the move it tells of, never changed."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    from_state = models.CharField(max_length=12, choices=JobState.choices, blank=True)
    to_state = models.CharField(max_length=12, choices=JobState.choices)
    note = models.CharField(max_length=1000, blank=True)
    by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.from_state} -> {self.to_state}"


class JobSample(models.Model):
    """How far a job had come at one time, for the chart of its throughput; few for each job (`jobs.samples`)."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField(default=timezone.now)
    # Bytes count anew in each attempt, and again while they are read back: as `Job.phase_started_at` says.
    phase_started_at = models.DateTimeField()
    is_verifying = models.BooleanField(default=False)
    moved_bytes = models.BigIntegerField(help_text="Without what the target held already.")

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["at"], name="job_sample_by_age")]

    def __str__(self) -> str:
        return f"{self.moved_bytes} bytes at {self.at:%H:%M:%S}"

"""How jobs, durations and progress read on the screen."""

from django import template

from jobs.models import Job
from jobs.states import TAKERS
from jobs.wording import describe_duration, describe_job, describe_progress

register = template.Library()

register.filter("duration", describe_duration)


@register.filter
def job_title(job: Job) -> str:
    return describe_job(job.type, city=job.target_region.city, cluster=job.cluster.name)


@register.filter
def progress_text(job: Job) -> str:
    if job.type in TAKERS:
        return "Removing"
    return describe_progress(
        done=job.bytes_done,
        total=job.bytes_total,
        rate=job.rate,
        is_verifying=job.state == "verifying",
    )

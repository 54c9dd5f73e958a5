"""Sentences about jobs. Pure."""

from datetime import timedelta
from decimal import Decimal

from pricing.formatting import format_gb, format_money

from .rates import Rate
from .states import JobState, JobType

TAKEN_BY = "Taken by "
"""How the note of the event begins that a claim writes; the worker's name follows."""


def describe_job(job_type: str, *, city: str, cluster: str) -> str:
    """What a job does, in a few words: “Copy to Frankfurt”."""
    if job_type == JobType.BACKUP:
        return f"Backup of {cluster}"
    if job_type == JobType.COPY:
        return f"Copy to {city}"
    if job_type == JobType.RESTORE:
        return f"Restore into {cluster}"
    if job_type == JobType.EXPIRE:
        return f"Expire in {city}"
    if job_type == JobType.VERIFY:
        return f"Check copy in {city}"
    if job_type == JobType.REPAIR:
        return f"Repair copy in {city}"
    if job_type == JobType.COLLECT:
        return f"Collect leftovers in {city}"
    return f"Delete in {city}"


def describe_next_step(job_type: str, state: str) -> str:
    """What to do about a job that failed or crashed, in a sentence to follow its reason; else empty."""
    if state == JobState.CRASHED:
        return "This is no mistake of yours. Whoever runs the site finds the cause in the worker's log."
    if state != JobState.FAILED:
        return ""
    match job_type:
        case JobType.BACKUP:
            return "Put that right, then create the backup again. Copies that were to follow are canceled."
        case JobType.COPY:
            return "Put that right, then make this copy again: what has arrived already is not sent twice."
        case JobType.RESTORE:
            return "The backup is as it was. Put that right, then restore again."
        case JobType.VERIFY | JobType.REPAIR:
            return "Look at the other copies of this backup: a sound one can be restored from, and mend this one."
        case JobType.DELETE | JobType.EXPIRE:
            return "Put that right, then delete again: what is not proven gone is not called deleted."
    return "It is tried again by itself, with the next removal at the latest."


def describe_saving(sent_bytes: int, saved_bytes: int, amount: Decimal | None, currency: str) -> str:
    """ "sent 1.20 GB, 18.80 GB were already there: $0.38 saved"; without the money where no price is set."""
    words = f"sent {format_gb(sent_bytes)}, {format_gb(saved_bytes)} were already there"
    return words if amount is None else f"{words}: {format_money(amount, currency)} saved"


def describe_duration(duration: timedelta | None) -> str:
    """ "under 1 s", "3 s", "4 min 12 s", "2 h 5 min"; a dash for something that has not begun."""
    if duration is None:
        return "–"
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 1:
        return "under 1 s"
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def describe_progress(*, done: int, total: int, rate: Rate | None, is_verifying: bool) -> str:
    """ "13.40 GB of 20.00 GB, 118.00 MB/s, 56 s left"; totals of a backup are estimates until its end."""
    if not total:
        return "Starting"
    words = [f"{format_gb(done)} of {format_gb(max(done, total))}" + (" read back" if is_verifying else "")]
    if rate:
        words.append(f"{format_gb(round(rate.bytes_per_second))}/s")
    left = "–" if rate is None or rate.seconds_left is None else describe_duration(_rounded(rate.seconds_left))
    words.append(f"{left} left")
    return ", ".join(words)


def _rounded(seconds_left: float) -> timedelta:
    """A guess of hours is not told by the second; one of seconds never reads as none."""
    step = 1 if seconds_left < 60 else 5 if seconds_left < 600 else 60
    return timedelta(seconds=max(1, round(seconds_left / step) * step))

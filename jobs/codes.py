"""Identifiers of jobs and schedules."""

from accounts.codes import letter_code


def job_code() -> str:
    return letter_code("job-", 22)


def schedule_code() -> str:
    return letter_code("sched-", 22)

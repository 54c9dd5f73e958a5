"""Identifiers of jobs."""

from accounts.codes import letter_code


def job_code() -> str:
    return letter_code("job-", 22)

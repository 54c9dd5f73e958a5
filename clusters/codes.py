"""Identifiers of clusters."""

from accounts.codes import hex_code


def cluster_code() -> str:
    return hex_code("in01-", 15)

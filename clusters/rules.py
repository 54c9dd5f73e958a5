"""What can be backed up and copied where (rules R1, R2, R3), and when an address is another one. Pure; every reason is
a sentence for the page."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import ClusterRefused

LONGEST_NAME = 64
LARGEST_CU_SIZE = 1024


@dataclass(frozen=True)
class RegionFacts:
    """What the rules need to know of a region."""

    code: str
    provider: str
    provider_name: str
    continent: str


def check_name(name: str) -> None:
    """ClusterRefused for what cannot be the name of a cluster."""
    if len(name) > LONGEST_NAME or not re.fullmatch("[A-Za-z0-9][A-Za-z0-9-]*", name):
        raise ClusterRefused(
            f"Use letters, digits and hyphens, at most {LONGEST_NAME}, and begin with a letter or digit.", field="name"
        )


def check_cu_size(cu_size: int) -> None:
    if not 1 <= cu_size <= LARGEST_CU_SIZE:
        raise ClusterRefused(f"The CU size is 1 to {LARGEST_CU_SIZE:,}.", field="cu_size")


def check_endpoint(endpoint: str) -> None:
    """ClusterRefused for what is no address, or holds what belongs to the token: everybody who sees the cluster sees
    its endpoint."""
    try:
        parts = urlsplit(endpoint)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half a bracket, or a port that is no number below 65536
        is_address = False
    if not is_address or "@" in parts.netloc or parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", endpoint):
        raise ClusterRefused("An endpoint looks like https://in01-abc.example.com:19530.", field="endpoint")


def why_not_backed_up(plan: str) -> str | None:
    """Why a cluster of `plan` cannot be backed up and what to do instead, or None if it can (R1)."""
    if plan == "free":
        return "Free clusters cannot be backed up. Upgrade the cluster to Dedicated first."
    if plan == "serverless":
        return "Serverless clusters cannot be backed up. Migrate the data to a Dedicated cluster first."
    return None


def why_not_copied(plan: str, provider: str) -> str | None:
    """Why backups of such a cluster cannot be copied to other regions, or None if they can (R1, R3)."""
    if reason := why_not_backed_up(plan):
        return reason
    if provider == "azure":
        return "Clusters on Azure can be backed up, but their backups cannot be copied to other regions."
    return None


def copy_targets(source: RegionFacts, regions: Iterable[RegionFacts]) -> list[RegionFacts]:
    """The regions a backup from `source` may be copied to: same provider, not `source` itself (R2)."""
    return [region for region in regions if region.provider == source.provider and region.code != source.code]


def check_copy_targets(plan: str, source: RegionFacts, targets: Sequence[RegionFacts]) -> None:
    """Raise ClusterRefused if any of `targets` breaks R1, R2 or R3, or is named twice."""
    if targets and (reason := why_not_copied(plan, source.provider)):
        raise ClusterRefused(reason, field="regions")
    seen: set[str] = set()
    for target in targets:
        if target.code in seen:
            raise ClusterRefused(f"{target.code} was chosen twice. One copy per region is made.", field="regions")
        seen.add(target.code)
        if target.code == source.code:
            raise ClusterRefused(
                f"{target.code} is the cluster's own region: the original already lies there.", field="regions"
            )
        if target.provider != source.provider:
            raise ClusterRefused(
                f"{target.code} belongs to {target.provider_name}, but the cluster runs on {source.provider_name}. "
                "Copies can only go to regions of the same provider.",
                field="regions",
            )


def origin_of(endpoint: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: what decides to whom a token is sent. ValueError if `endpoint` is no address."""
    parts = urlsplit(endpoint)
    return parts.scheme, parts.hostname or "", parts.port

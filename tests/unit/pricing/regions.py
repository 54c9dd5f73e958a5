"""A small world of regions for these tests; on the site the clusters room supplies them."""

from dataclasses import replace

from pricing.regions import RegionChoice

AWS = frozenset({"aws-us-east-1", "aws-eu-central-1"})
GOOGLE = frozenset({"gcp-us-west1", "gcp-us-east4", "gcp-europe-west3", "gcp-asia-southeast1"})
TARGETS = {"aws": AWS, "gcp": GOOGLE, "azure": frozenset[str]()}


def fake_regions() -> list[RegionChoice]:
    """Copies go where the site's rules would let them: to other regions of AWS or of Google Cloud, none on Azure."""
    return [replace(region, targets=TARGETS[region.provider] - {region.code}) for region in _regions()]


def _regions() -> list[RegionChoice]:
    return [
        RegionChoice("aws-us-east-1", "aws", "AWS", "N. Virginia, USA", "North America"),
        RegionChoice("gcp-us-west1", "gcp", "Google Cloud", "Oregon, USA", "North America"),
        RegionChoice("gcp-us-east4", "gcp", "Google Cloud", "Virginia, USA", "North America"),
        RegionChoice("gcp-europe-west3", "gcp", "Google Cloud", "Frankfurt, Germany", "Europe"),
        RegionChoice("aws-eu-central-1", "aws", "AWS", "Frankfurt, Germany", "Europe"),
        RegionChoice("gcp-asia-southeast1", "gcp", "Google Cloud", "Singapore", "Asia"),
        RegionChoice("az-eastus", "azure", "Azure", "Virginia, USA (East US)", "North America", can_copy=False),
        RegionChoice("az-northeurope", "azure", "Azure", "Ireland", "Europe", can_copy=False),
    ]


def only_aws() -> list[RegionChoice]:
    return [region for region in fake_regions() if region.provider == "aws"]


def no_regions() -> list[RegionChoice]:
    return []

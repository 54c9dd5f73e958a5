"""A small world of regions for these tests; on the site the clusters room supplies them."""

from pricing.regions import RegionChoice


def fake_regions() -> list[RegionChoice]:
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

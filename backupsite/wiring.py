"""Where one room needs what another knows without importing it: the functions that settings name."""

from collections.abc import Sequence

from clusters.models import Plan, Region
from clusters.rules import RegionFacts, copy_targets, why_not_copied
from clusters.services import region_facts
from pricing.regions import RegionChoice


def price_regions() -> list[RegionChoice]:
    """Every region, as the price calculator wants to see it."""
    regions = list(Region.objects.all())
    facts = [region_facts(region) for region in regions]
    return [_price_region(region, facts) for region in regions]


def _price_region(region: Region, everywhere: Sequence[RegionFacts]) -> RegionChoice:
    can_copy = why_not_copied(Plan.DEDICATED, region.provider) is None
    targets = copy_targets(region_facts(region), everywhere) if can_copy else []
    return RegionChoice(
        code=region.code,
        provider=region.provider,
        provider_name=region.get_provider_display(),
        label=region.location,
        continent=region.continent,
        targets=frozenset(target.code for target in targets),
        can_copy=can_copy,
    )

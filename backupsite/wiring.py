"""Where one room needs what another knows without importing it: the functions that settings name."""

from clusters.models import Plan, Region
from clusters.rules import why_not_copied
from pricing.regions import RegionChoice


def price_regions() -> list[RegionChoice]:
    """Every region, as the price calculator wants to see it."""
    return [
        RegionChoice(
            code=region.code,
            provider=region.provider,
            provider_name=region.get_provider_display(),
            label=region.location,
            continent=region.continent,
            can_copy=why_not_copied(Plan.DEDICATED, region.provider) is None,
        )
        for region in Region.objects.all()
    ]

"""Where one room needs what another knows without importing it: the functions that settings name."""

from clusters.models import Region
from pricing.regions import RegionChoice


def price_regions() -> list[RegionChoice]:
    """Every region, as the price calculator wants to see it."""
    return [
        RegionChoice(
            code=region.code,
            provider=region.provider,
            provider_name=region.get_provider_display(),
            label=str(region),
            continent=region.continent,
        )
        for region in Region.objects.all()
    ]

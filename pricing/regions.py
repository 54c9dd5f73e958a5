"""The regions that can be priced. This room owns none: the site names a function that lists them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from pricing.calculator import Place, Rates
from pricing.currencies import SizeUnit


@dataclass(frozen=True)
class RegionChoice:
    """One region as the calculator offers it, for example "gcp-us-west1", "gcp", "Google Cloud", "Oregon, USA"."""

    code: str
    provider: str
    provider_name: str
    label: str
    continent: str
    # The codes of the regions that copies of a backup here may go to. The site decides them: the rule is not ours.
    targets: frozenset[str] = frozenset()
    # False where the provider's backups cannot be copied to other regions at all (R3).
    can_copy: bool = True

    @property
    def place(self) -> Place:
        return Place(self.code, self.continent)


@dataclass(frozen=True)
class TargetChoice:
    """A region a copy may go to, with what it would cost there; None where no price is set."""

    region: RegionChoice
    price_per_gb_month: Decimal | None
    price_per_gb: Decimal | None
    currency: str
    unit: SizeUnit


@dataclass(frozen=True)
class TargetGroup:
    continent: str
    targets: tuple[TargetChoice, ...]


def region_choices() -> list[RegionChoice]:
    """Every region, from the function that `settings.PRICING_REGION_SOURCE` names."""
    source = cast(Callable[[], Iterable[RegionChoice]], import_string(settings.PRICING_REGION_SOURCE))
    return list(source())


def targets_of(source: RegionChoice, regions: Sequence[RegionChoice]) -> list[RegionChoice]:
    """Those of `regions` that copies of a backup in `source` may go to."""
    return [region for region in regions if region.code in source.targets]


def target_groups(source: RegionChoice, regions: Sequence[RegionChoice], rates: Rates) -> list[TargetGroup]:
    """The targets of `source` by continent, its own continent first, each with both prices."""
    targets = sorted(
        targets_of(source, regions),
        key=lambda region: (region.continent != source.continent, region.continent, region.label),
    )
    return [
        TargetGroup(continent, tuple(_priced(source, region, rates) for region in members))
        for continent, members in groupby(targets, key=lambda region: region.continent)
    ]


def _priced(source: RegionChoice, target: RegionChoice, rates: Rates) -> TargetChoice:
    return TargetChoice(
        region=target,
        price_per_gb_month=rates.storage_price(target.code),
        price_per_gb=rates.transfer_price(source.place, target.place),
        currency=rates.currency,
        unit=rates.unit,
    )

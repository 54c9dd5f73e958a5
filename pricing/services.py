"""Turns stored price sheets into the rates that the calculator reckons with."""

from datetime import date

from pricing.calculator import Area, Rates, Scope, StorageRate, TransferRate
from pricing.models import Currency, PriceSheet


def rates_for(provider: str, on: date) -> Rates:
    """The provider's rates on that day, in three queries; rates without any price if no sheet is valid yet."""
    sheet = PriceSheet.objects.with_prices().valid_on(on, provider)
    if sheet is None:
        return Rates(provider=provider, currency=Currency.USD.value, source="", valid_from=None)
    return Rates(
        provider=provider,
        currency=sheet.currency,
        source=sheet.name,
        valid_from=sheet.valid_from,
        storage=tuple(StorageRate(price.region, price.price_per_gb_month) for price in sheet.storage_prices.all()),
        transfer=tuple(
            TransferRate(
                source=Area(Scope(price.source_kind), price.source),
                target=Area(Scope(price.target_kind), price.target),
                price_per_gb=price.price_per_gb,
            )
            for price in sheet.transfer_prices.all()
        ),
    )

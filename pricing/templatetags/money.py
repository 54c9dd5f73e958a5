"""Amounts, unit prices and sizes in templates, written the same way on every page.

An amount needs its currency: `{{ line.amount|money:rates.currency }}`. A sum that may lack prices says so by
`{{ costs.total|money:costs.currency|at_least:costs.is_complete }}`.
"""

from django import template

from pricing import formatting

register = template.Library()

register.filter("money", formatting.format_money)
register.filter("amounts", formatting.format_amounts)
register.filter("at_least", formatting.at_least)
register.filter("unit_price", formatting.format_unit_price)
register.filter("gb", formatting.format_gb)
register.filter("in_unit", formatting.format_size)

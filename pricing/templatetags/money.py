"""Amounts, unit prices and sizes in templates, written the same way on every page."""

from django import template

from pricing.formatting import format_gb, format_money, format_total, format_unit_price

register = template.Library()

register.filter("money", format_money)
register.filter("total", format_total)
register.filter("unit_price", format_unit_price)
register.filter("gb", format_gb)

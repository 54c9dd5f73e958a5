"""Ships the regions of the public clouds."""

from django.db import migrations

REGIONS = [
    ("aws-us-west-2", "aws", "Oregon, USA", "North America"),
    ("aws-us-east-1", "aws", "N. Virginia, USA", "North America"),
    ("aws-us-east-2", "aws", "Ohio, USA", "North America"),
    ("aws-ca-central-1", "aws", "Canada (Central)", "North America"),
    ("aws-eu-central-1", "aws", "Frankfurt, Germany", "Europe"),
    ("aws-eu-west-1", "aws", "Ireland", "Europe"),
    ("aws-eu-west-2", "aws", "London, United Kingdom", "Europe"),
    ("aws-ap-northeast-1", "aws", "Tokyo, Japan", "Asia"),
    ("aws-ap-northeast-2", "aws", "Seoul, Korea", "Asia"),
    ("aws-ap-southeast-1", "aws", "Singapore", "Asia"),
    ("aws-ap-southeast-2", "aws", "Sydney, Australia", "Oceania"),
    ("gcp-us-west1", "gcp", "Oregon, USA", "North America"),
    ("gcp-us-central1", "gcp", "Iowa, USA", "North America"),
    ("gcp-us-east4", "gcp", "Virginia, USA", "North America"),
    ("gcp-europe-west3", "gcp", "Frankfurt, Germany", "Europe"),
    ("gcp-asia-southeast1", "gcp", "Singapore", "Asia"),
    ("gcp-asia-northeast1", "gcp", "Tokyo, Japan", "Asia"),
    ("az-eastus", "azure", "Virginia, USA (East US)", "North America"),
    ("az-eastus2", "azure", "Virginia, USA (East US 2)", "North America"),
    ("az-centralus", "azure", "Iowa, USA (Central US)", "North America"),
    ("az-germanywestcentral", "azure", "Frankfurt, Germany", "Europe"),
    ("az-northeurope", "azure", "Ireland", "Europe"),
    ("az-centralindia", "azure", "Pune, India", "Asia"),
]


def ship_regions(apps, schema_editor):
    region = apps.get_model("clusters", "Region")
    region.objects.bulk_create(
        region(code=code, provider=provider, location=location, continent=continent)
        for code, provider, location, continent in REGIONS
    )


class Migration(migrations.Migration):
    dependencies = [("clusters", "0001_initial")]
    operations = [migrations.RunPython(ship_regions, migrations.RunPython.noop)]

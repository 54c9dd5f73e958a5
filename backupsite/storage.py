"""How static files are stored for serving."""

from typing import Any

import brotli
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

BROTLI_QUALITY = 9
"""Plotly at the highest quality, 11, takes 10.7 s and gives 1.11 MB; at 9 it takes 0.5 s and gives 1.23 MB."""


class QuickCompressor(Compressor):
    @staticmethod
    def compress_brotli(data: bytes) -> bytes:
        return brotli.compress(data, quality=BROTLI_QUALITY)


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Hashed names and compressed siblings, made quickly enough for the first start of a laptop."""

    def create_compressor(self, **options: Any) -> Compressor:
        return QuickCompressor(**options)

"""Readers: files of every kind as sources of patterns, opened lazily."""

from daskstem.io.readers.opening import open_series_of_sources, open_source
from daskstem.io.readers.series import natural_order

__all__ = ["natural_order", "open_series_of_sources", "open_source"]

"""Readers: files of every kind as sources of patterns, opened lazily."""

from daskstem.io.readers.opening import open_series_of_sources, open_source

__all__ = ["open_series_of_sources", "open_source"]

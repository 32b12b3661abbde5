"""Disk to Dataset and back: the store and the readers of other programs' files."""

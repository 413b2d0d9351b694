"""Repair steps of int8: one file each, listed in `registry.py`."""

"""Render results for people and for CI."""

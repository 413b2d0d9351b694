"""Speak to people and to scripts: the only place that prints and exits."""

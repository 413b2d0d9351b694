"""Prepare datasets: intake, checks, group splits, and the synthetic default."""

"""Measure how models answer labelled images, with intervals, by subgroup and side by side."""

"""Schedules as values and pure functions: when one is due, and what it does about it."""

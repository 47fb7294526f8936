"""Failures of the public API."""

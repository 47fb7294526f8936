"""Decisions as functions: retries, ids."""

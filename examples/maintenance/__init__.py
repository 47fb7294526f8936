"""Nightly maintenance of an application, as a schedule."""

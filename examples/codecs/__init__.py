"""Payloads that are compressed and encrypted before they reach the disk, and a key that is exchanged meanwhile."""

"""Journals recorded once, to be replayed for ever."""

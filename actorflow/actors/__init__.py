"""Actors that know nothing of workflows: who is ready, whose turn it is, who leaves memory."""

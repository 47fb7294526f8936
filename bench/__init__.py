"""How fast, how small, how soon back: one table per question, see ``python -m bench --help``."""

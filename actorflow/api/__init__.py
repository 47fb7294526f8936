"""Data as the public API names it: what converters and codecs of ported programs take and return."""

"""Pure decisions: nothing in here does I/O, reads a clock or starts a thread."""

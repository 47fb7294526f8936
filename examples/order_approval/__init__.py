"""An order that waits for a person: a signal with a deadline, and nothing paid before the answer."""

"""What every part of the public API shares."""

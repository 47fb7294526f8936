"""What works together with other libraries, each behind an extra of its own."""

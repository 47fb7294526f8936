"""Where activities wait, and who runs them."""

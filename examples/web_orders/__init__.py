"""Orders behind HTTP: a Starlette application that holds its journal as long as it lives."""

"""The programs that are measured from outside: they are weighed, or killed."""

"""An order on its way from the click to the door: three loops, one of them with a loop inside, on one file."""

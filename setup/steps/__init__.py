"""One file for each thing that set-up provides."""

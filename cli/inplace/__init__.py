"""`make restore-in-place`: a stack goes back to an earlier moment; what it had stays beside until it is told to go."""

"""`make seed`: realistic data for a stack that has none. The same size, number and day give the same rows."""

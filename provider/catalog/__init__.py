"""What the live catalog says: its picture, for drift, and who may do what, for the proof of the access matrix."""

"""`make adopt`: rows of a database that has the design document's tables move into a stack (docs/adoption.md)."""

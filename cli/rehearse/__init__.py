"""`make rehearse`: pending migrations on a copy of a stack's data, with clients at work, before they run there."""

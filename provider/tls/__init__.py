"""Resources about certificates in running programs."""

"""Resources of pgBackRest, run inside the repository's container: the stanza and its first full backup."""

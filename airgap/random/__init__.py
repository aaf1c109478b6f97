"""Stand-in for Pulumi's provider `random`: passwords, texts, ids and numbers from the system's secure source."""

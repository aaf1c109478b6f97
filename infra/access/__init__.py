"""Who may do what: one table of privileges, and the roles and grants that follow from it."""

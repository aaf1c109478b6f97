"""Delivery: lint, the comment on a pull request, and the removal of throw-away stacks left behind."""

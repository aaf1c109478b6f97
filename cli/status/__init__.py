"""`make status`: facts gathered at the edge, judged by pure functions, printed as one table."""

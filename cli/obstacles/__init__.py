"""What stands in the way of an `up`, found before anything changes."""

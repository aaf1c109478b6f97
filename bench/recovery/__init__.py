"""What an outage costs: faults done to running stacks, each measured by clients that write and read meanwhile."""

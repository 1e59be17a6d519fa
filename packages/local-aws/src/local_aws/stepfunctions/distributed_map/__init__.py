"""The Distributed Map: item readers, batches, child executions, result writers."""

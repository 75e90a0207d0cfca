"""Delivery: queues, batches, jobs, outcomes and STATE."""

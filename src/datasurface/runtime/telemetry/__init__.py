"""What is told of batches and of the scheduler, and to whom: events as values, and one file an exporter."""

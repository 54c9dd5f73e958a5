"""What exists out there: clusters, regions, stores, and how we reach them."""

"""The read-only overview: pages and charts that combine what the other rooms know."""

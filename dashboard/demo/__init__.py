"""The demo: an organization with people, clusters that are real Milvus Lite databases, and data to back up."""

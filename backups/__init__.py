"""The catalogue: every backup and copy that exists, where it lies, who needs it, how long it stays."""

"""What speed is promised, measured: one command each, every ratio between things that ran in the same minutes."""

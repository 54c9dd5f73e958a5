"""The same actions for machines: token in, JSON out, no rule of its own."""

"""Object stores: one protocol, one adapter per file, every adapter held to the same contract test."""

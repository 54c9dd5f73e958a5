"""What nobody may lose: real workers and schedulers whose processes, stores, clocks and database fail at random."""

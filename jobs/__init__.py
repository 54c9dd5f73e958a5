"""What people asked for (schedules), every job that came of it, and the worker that carries jobs out."""

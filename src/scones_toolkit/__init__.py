"""What the tasks do: the one place where the packages meet."""

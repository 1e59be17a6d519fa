"""The tasks by subject: the flags of each are the parameters of its function."""

"""Settings, errors, labels, messages and names that every package of the project shares."""

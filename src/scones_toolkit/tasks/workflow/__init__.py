"""The tasks around the workflow's runs: simulated load, their results, and their redrive."""

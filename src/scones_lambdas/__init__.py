"""The three Lambda functions of the workflow."""

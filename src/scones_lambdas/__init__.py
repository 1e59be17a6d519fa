"""The three Lambda functions of the workflow.

A handler parses its event, calls a function that knows nothing of Lambda, and returns one flat
result. Whatever stops it is raised as a leaf of `scones_core.errors.WorkflowError`: the class's
name is what the state machine's Retry matches.
"""

"""The Lambda functions of the workflow.

Three steps classify one image each; classify_batch takes many through the same steps;
record_results and collect_inbox are at the workflow's end and at its beginning. A handler parses
its event, calls a function that knows nothing of Lambda, and returns one flat result. Whatever
stops it is raised as a leaf of `scones_core.errors.WorkflowError`: the class's name is what the
state machine's Retry matches.
"""

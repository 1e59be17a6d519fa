"""Step Functions: moto's interpreter, patched to execute as AWS does."""

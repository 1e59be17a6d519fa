"""Step Functions: moto's interpreter, mended."""

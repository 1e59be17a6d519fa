"""A stand-in for the built-in image classification algorithm: its interface, a smaller model."""

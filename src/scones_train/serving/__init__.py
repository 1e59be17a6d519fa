"""The serving program; imports no PyTorch."""

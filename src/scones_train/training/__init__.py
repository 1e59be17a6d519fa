"""The training program: hyperparameters, the loop, cross-validation, checkpoints."""

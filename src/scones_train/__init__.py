"""The classifier: training, evaluation, the model artifact, serving, and launching jobs."""

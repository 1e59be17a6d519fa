"""What the endpoint answered: report, live figures, review, shadow."""

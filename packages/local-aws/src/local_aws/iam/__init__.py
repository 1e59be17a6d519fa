"""IAM: roles are held to their policies."""

"""ECR: the digests of images."""

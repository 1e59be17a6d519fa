"""Lambda bundles, the release manifest, and the adapter over Terraform."""

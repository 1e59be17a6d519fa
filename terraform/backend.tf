terraform {
  # The rest is in environments/<environment>/backend.hcl, given to `terraform init`.
  backend "s3" {
    use_lockfile = true
  }
}

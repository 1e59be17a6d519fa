# The bucket carries the account id, so it is given in addition to this file:
#   terraform init -backend-config=environments/dev/backend.hcl -backend-config=bucket=scones-dev-terraform-state-<account id>
key     = "scones/dev/terraform.tfstate"
region  = "us-east-1"
encrypt = true

# The bucket carries the account id, so it is given in addition to this file:
#   terraform init -backend-config=environments/prod/backend.hcl -backend-config=bucket=scones-prod-terraform-state-<account id>
key     = "scones/prod/terraform.tfstate"
region  = "us-east-1"
encrypt = true

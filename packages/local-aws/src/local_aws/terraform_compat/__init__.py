"""What Terraform's AWS provider reads back from moto differently than from AWS."""

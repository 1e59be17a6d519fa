"""What Terraform's provider reads back from moto otherwise than from AWS."""

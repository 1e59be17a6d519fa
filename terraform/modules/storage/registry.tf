# The candidates themselves are made by training, each a version of this group, and are not
# Terraform's: they come and go without a plan.
resource "aws_sagemaker_model_package_group" "this" {
  model_package_group_name        = var.names.model_group
  model_package_group_description = "Trained models of this environment, each with its figures and whether it may be released"
}

output "state_bucket" {
  description = "Bucket to give as -backend-config=bucket=... to the environment's init."
  value       = aws_s3_bucket.state.bucket
}

output "state_bucket_arn" {
  description = "ARN of the state's bucket."
  value       = aws_s3_bucket.state.arn
}

output "permissions_boundary_arn" {
  description = "Policy for permissions_boundary_arn in the environment's env.tfvars; null without a repository."
  value       = one(aws_iam_policy.boundary[*].arn)
}

output "plan_role_arn" {
  description = "Role for AWS_ROLE_ARN of the GitHub environment <environment>-plan; null without a repository."
  value       = try(aws_iam_role.this["plan"].arn, null)
}

output "apply_role_arn" {
  description = "Role for AWS_ROLE_ARN of the GitHub environment <environment>; null without a repository."
  value       = try(aws_iam_role.this["apply"].arn, null)
}

output "oidc_provider_arn" {
  description = "The account's provider for GitHub's tokens, for oidc_provider_arn of the next environment; null without a repository."
  value       = var.repository == null ? null : local.oidc_provider_arn
}

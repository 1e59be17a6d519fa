output "role_arns" {
  description = "Role ARNs by principal; they depend on the roles' policies."
  value       = { for key, role in aws_iam_role.this : key => role.arn }

  depends_on = [aws_iam_role_policy.this]
}

output "policies" {
  description = "Each role's policy as JSON, for tests and reviews."
  value       = local.policies
}

output "trust_policies" {
  description = "Each role's trust policy as JSON, for tests and reviews."
  value       = local.trust_policies
}

output "names" {
  description = "Function names by bundle name."
  value       = { for key, function in aws_lambda_function.this : key => function.function_name }
}

output "arns" {
  description = "Function ARNs by bundle name."
  value       = { for key, function in aws_lambda_function.this : key => function.arn }
}

output "versions" {
  description = "Published versions that the alias points at, by bundle name."
  value       = { for key, alias in aws_lambda_alias.this : key => alias.function_version }
}

output "alias_arns" {
  description = "ARNs to invoke, by bundle name."
  value       = { for key, alias in aws_lambda_alias.this : key => alias.arn }
}

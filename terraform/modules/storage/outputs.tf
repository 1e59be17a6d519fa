output "kms_key_arn" {
  description = "ARN of the environment's key."
  value       = aws_kms_key.this.arn
}

output "bucket_names" {
  description = "Bucket names by purpose: data, artifacts, capture, logs."
  value       = { for purpose, bucket in aws_s3_bucket.this : purpose => bucket.bucket }
}

output "versioned_bucket_names" {
  description = "Bucket names by purpose, available once versioning is enabled: earlier objects would have no version."
  value       = { for purpose, versioning in aws_s3_bucket_versioning.this : purpose => versioning.bucket }
}

output "capture_uri" {
  description = "S3 destination of the endpoint's captured records."
  value       = "s3://${aws_s3_bucket.this["capture"].bucket}/capture"
}

output "repository_url" {
  description = "URL of the model image's repository, without a tag."
  value       = aws_ecr_repository.this.repository_url
}

output "model_package_group" {
  description = "Name of the group whose versions are the candidates for a release."
  value       = aws_sagemaker_model_package_group.this.model_package_group_name
}

output "key_policy" {
  description = "The key's policy, for tests and reviews."
  value       = jsonencode(local.key_policy)
}

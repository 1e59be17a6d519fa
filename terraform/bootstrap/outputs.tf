output "state_bucket" {
  description = "Bucket to give as -backend-config=bucket=... to the environment's init."
  value       = aws_s3_bucket.state.bucket
}

output "state_bucket_arn" {
  description = "ARN of the state's bucket."
  value       = aws_s3_bucket.state.arn
}

locals {
  # Buckets whose access is logged. S3 delivers those logs only to a bucket of its own key
  # (SSE-S3), so the log bucket differs in encryption and is not logged itself.
  logged = { for purpose, name in var.names.buckets : purpose => name if purpose != "logs" }

  # Objects that expire, by bucket; elsewhere only old versions do.
  expiration_days = {
    capture = var.capture_retention_days
    logs    = var.access_log_retention_days
  }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV2_AWS_62:the data bucket's events go to EventBridge, by the module inbox; no other bucket starts anything
  #checkov:skip=CKV_AWS_144:images can be staged and models trained again; versions guard against mistakes

  for_each = var.names.buckets

  bucket        = each.value
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    bucket_key_enabled = each.key != "logs"

    apply_server_side_encryption_by_default {
      sse_algorithm     = each.key == "logs" ? "AES256" : "aws:kms"
      kms_master_key_id = each.key == "logs" ? null : aws_kms_key.this.arn
    }
  }
}

# The provider waits 55 s until eleven reads of each agree. Nothing depends on them, so everything
# else is created meanwhile.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = var.expires_objects ? aws_s3_bucket.this : {}

  bucket = each.value.id

  rule {
    id     = "abort-unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  rule {
    id     = "expire-old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_retention_days
    }
  }

  # A finished job needs no checkpoints; an interrupted one is resumed soon.
  dynamic "rule" {
    for_each = each.key == "artifacts" ? ["checkpoints/"] : []

    content {
      id     = "expire-checkpoints"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = 7
      }
    }
  }

  # Daily reports contain captured images, so they expire with them.
  dynamic "rule" {
    for_each = each.key == "data" ? ["monitoring/"] : []

    content {
      id     = "expire-reports"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = var.capture_retention_days
      }
    }
  }

  dynamic "rule" {
    for_each = contains(keys(local.expiration_days), each.key) ? [local.expiration_days[each.key]] : []

    content {
      id     = "expire-objects"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.tls_only[each.key]], each.key == "logs" ? [local.log_delivery] : [])
  })

  # A policy and a public access block that are set at the same time can conflict.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_logging" "this" {
  for_each = local.logged

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = aws_s3_bucket_policy.this["logs"].bucket
  target_prefix = "${each.key}/"
}

locals {
  bucket_arns = { for purpose, name in var.names.buckets : purpose => "arn:${var.partition}:s3:::${name}" }

  tls_only = {
    for purpose, arn in local.bucket_arns : purpose => {
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "s3:*"
      Resource  = [arn, "${arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }
  }

  log_delivery = {
    Sid       = "AccessLogDelivery"
    Effect    = "Allow"
    Principal = { Service = "logging.s3.amazonaws.com" }
    Action    = "s3:PutObject"
    Resource  = "${local.bucket_arns["logs"]}/*"
    Condition = {
      StringEquals = { "aws:SourceAccount" = var.account_id }
      ArnLike      = { "aws:SourceArn" = [for purpose in keys(local.logged) : local.bucket_arns[purpose]] }
    }
  }
}

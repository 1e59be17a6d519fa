"""Limits of AWS, and the project's own limits of one image: each stated once, with its source.

What is known before work begins is checked against these before work begins.
"""

LAMBDA_PAYLOAD_BYTES = 6_291_456
"""Request and response of a synchronous invocation, each.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

LAMBDA_UNZIPPED_BYTES = 262_144_000
"""A function's unzipped code with all of its layers.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

STATE_BYTES = 262_144
"""Input or output of a state, a task or an execution, as UTF-8.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

ENDPOINT_BODY_BYTES = 6_291_456
"""Body of an InvokeEndpoint request.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""

INFERENCE_ID_CHARACTERS = 64
"""InferenceId of InvokeEndpoint.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""

CUSTOM_ATTRIBUTES_CHARACTERS = 1_024
"""CustomAttributes of InvokeEndpoint.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""

HYPERPARAMETERS = 100
"""Hyperparameters of a training job.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"""

HYPERPARAMETER_CHARACTERS = 2_500
"""The value of one hyperparameter; its name has at most 256 characters.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"""

JOB_VARIABLE_CHARACTERS = 256
"""The value of an environment variable of a processing job.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProcessingJob.html"""

S3_KEY_BYTES = 1_024
"""An object's key, as UTF-8.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

MAX_IMAGE_PIXELS = 16_000_000
"""Pixels that an image sent to the endpoint may declare: about 0.4 s of decoding."""

MAX_JPEG_SCANS = 100
"""Scans of one JPEG. Each costs a pass over all pixels (11 ms for 16 million) and may have as few
as 31 bytes; encoders write 10 for a progressive image."""

PREDICTION_VALUES = 3_000_000
"""Test images times classes: so many probabilities are kept with a model, in about 48 MB of
JSON, which every comparison of two models reads as a whole."""

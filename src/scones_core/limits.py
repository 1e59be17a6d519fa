"""Limits of AWS, and the project's own limits of one image: each stated once, with its source.

What is known before work begins is checked against these before work begins.
"""

ENDPOINT_BODY_BYTES = 6_291_456
"""Body of an InvokeEndpoint request.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""

CUSTOM_ATTRIBUTES_CHARACTERS = 1_024
"""CustomAttributes of InvokeEndpoint.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""

HYPERPARAMETER_CHARACTERS = 2_500
"""The value of one hyperparameter; its name has at most 256 characters.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"""

JOB_VARIABLE_CHARACTERS = 256
"""The value of an environment variable of a processing job.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProcessingJob.html"""

MAX_IMAGE_PIXELS = 16_000_000
"""Pixels that an image sent to the endpoint may declare: about 0.4 s of decoding."""

MAX_IMAGE_SIDE = 65_535
"""Pixels of an image's longer side, the most that a JPEG can have: to scale a row down takes 32
bytes of memory for each of its pixels, 2 GB for one of 64 million."""

MAX_JPEG_SCANS = 100
"""Scans of one JPEG. Each costs a pass over all pixels (11 ms for 16 million) and may have as few
as 31 bytes; encoders write 10 for a progressive image."""

MAX_CLASSES = 5_000
"""Classes of a model. Its confusion matrix has as many values squared, in 200 MB."""

PREDICTION_VALUES = 3_000_000
"""Test images times classes: so many probabilities are kept with a model, in about 48 MB of
JSON, which every comparison of two models reads as a whole."""

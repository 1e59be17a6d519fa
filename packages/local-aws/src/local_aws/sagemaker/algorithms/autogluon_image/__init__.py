"""A stand-in for AWS's AutoGluon training image: script mode, and an `autogluon` that is smaller.

The container runs a script of the job's owner, as SageMaker's training toolkit does:
https://github.com/aws/sagemaker-training-toolkit. The script comes by a channel, as the SageMaker
SDK sends it where a job has no network: `sagemaker_submit_directory` is a path below `/opt/ml`.
"""

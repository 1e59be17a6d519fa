"""The algorithm's two programs: `python -m <this package> train|serve`, as SageMaker calls them."""

import os
import sys
from pathlib import Path

from local_aws.sagemaker.algorithms.image_classification.errors import CustomerError
from local_aws.sagemaker.algorithms.image_classification.log import say


def main(arguments: list[str]) -> int:
    """Run the command; return the exit status, 2 after an error of the user's."""
    if arguments == ["serve"]:
        from local_aws.sagemaker.algorithms.image_classification.serving import serve

        serve(Path(os.environ["SM_MODEL_DIR"]), int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
        return 0
    if arguments != ["train"]:
        print("Say train or serve.", file=sys.stderr)
        return 2
    from local_aws.sagemaker.algorithms.image_classification.training import train

    base = Path(os.environ["SAGEMAKER_BASE_DIR"])
    try:
        train(base)
    except CustomerError as error:
        say(f"Customer Error: {error}", "ERROR")
        (base / "output" / "failure").write_text(f"ClientError: {error}", encoding="utf-8")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

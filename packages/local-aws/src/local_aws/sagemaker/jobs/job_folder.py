"""The folder of a training job: what `/opt/ml` is in a container, relocated.

`input/config/{hyperparameters,inputdataconfig,resourceconfig}.json`, `input/data/<channel>/`,
`model/`, `output/data/`, `output/failure` and `checkpoints/`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_aws.sagemaker.jobs.channels import Channel

MAX_FAILURE_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The places below one training job's base folder."""

    base: Path

    @property
    def model(self) -> Path:
        """Return the folder that becomes `model.tar.gz`."""
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        """Return the folder that becomes `output.tar.gz` when it is not empty."""
        return self.base / "output" / "data"

    def channel(self, name: str) -> Path:
        """Return a channel's folder."""
        return self.base / "input" / "data" / name

    def prepare(
        self,
        hyperparameters: Mapping[str, str],
        channels: Sequence[Channel],
        instance_type: str,
    ) -> None:
        """Make the folders and write the three configuration files."""
        config = self.base / "input" / "config"
        for folder in (config, self.base / "input" / "data", self.model, self.output_data):
            folder.mkdir(parents=True, exist_ok=True)
        (self.base / "checkpoints").mkdir(exist_ok=True)
        host = {"current_host": "algo-1", "hosts": ["algo-1"]}
        files = {
            "hyperparameters": {name: str(value) for name, value in hyperparameters.items()},
            "inputdataconfig": {channel.name: channel.description() for channel in channels},
            "resourceconfig": {
                **host,
                "current_instance_type": instance_type,
                "network_interface_name": "lo",
            },
        }
        for name, content in files.items():
            (config / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")

    def environment(
        self, hyperparameters: Mapping[str, str], channels: Sequence[Channel]
    ) -> dict[str, str]:
        """Return the variables that tell the program where its folders are."""
        folders = {_channel_variable(c.name): str(self.channel(c.name)) for c in channels}
        return {
            "SAGEMAKER_BASE_DIR": str(self.base),
            "SM_MODEL_DIR": str(self.model),
            "SM_OUTPUT_DATA_DIR": str(self.output_data),
            "SM_HPS": json.dumps(dict(hyperparameters)),
            "SM_CHANNELS": json.dumps(sorted(channel.name for channel in channels)),
            "SM_HOSTS": '["algo-1"]',
            "SM_CURRENT_HOST": "algo-1",
            "SM_NUM_GPUS": "0",
            **folders,
        }

    def failure(self) -> str:
        """Return what the program wrote about its failure, at most 1024 characters."""
        try:
            with (self.base / "output" / "failure").open(encoding="utf-8", errors="replace") as f:
                return f.read(MAX_FAILURE_CHARACTERS).strip()
        except OSError:
            return ""


def _channel_variable(name: str) -> str:
    return "SM_CHANNEL_" + re.sub(r"[^A-Z0-9]", "_", name.upper())

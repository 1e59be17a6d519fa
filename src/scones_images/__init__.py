"""The one image decoder and the one RGB rule of ETL, training, serving and report."""

from scones_images.decode import (
    ENDPOINT,
    PHOTOS,
    DecodeLimits,
    ImageError,
    ImageTooBig,
    decode,
    fit,
    open_image,
)
from scones_images.upright_rgb import to_rgb, upright

__all__ = [
    "ENDPOINT",
    "PHOTOS",
    "DecodeLimits",
    "ImageError",
    "ImageTooBig",
    "decode",
    "fit",
    "open_image",
    "to_rgb",
    "upright",
]

"""A source with further training images: what was captured, and labelled by a person."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_etl.formats import AS_GIVEN, ImageFormat
from scones_etl.raw import Intake, RawDataset, Source, joined


@dataclass(frozen=True, slots=True)
class Extended:
    """The images of `base`, and those of `added` for training.

    The base's test split stays as it is, so that models before and after are measured on the
    same images. Where the base has none, one is drawn from all.
    """

    base: Source
    added: Source

    @property
    def kind(self) -> str:
        """Both kinds, such as `cifar100+labelled`."""
        return f"{self.base.kind}+{self.added.kind}"

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.base.name}+{self.added.name}"

    @property
    def sha256(self) -> str:
        """The hash over both sources' hashes."""
        return hashlib.sha256(f"{self.base.sha256} {self.added.sha256}".encode()).hexdigest()

    def class_names(self) -> tuple[str, ...]:
        """Return the classes of the base."""
        return self.base.class_names()

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return the base's images and then the added ones, which are all for training.

        Raises DatasetError, besides what the two raise, where their sizes differ.
        """
        base, added = self.base.read(classes, image), self.added.read(classes, image)
        if len(added) and base.images.shape[1:] != added.images.shape[1:]:
            sizes = " and ".join(min(part.sizes()) for part in (base, added))
            raise DatasetError(
                f"{self.name} has images of {sizes}; set dataset.image_side to the side that all "
                "of them are to have, such as 32."
            )
        intake = Intake(
            {**base.intake.unreadable, **added.intake.unreadable},
            _summed(base.intake.sizes or base.sizes(), added.intake.sizes or added.sizes()),
        )
        training = replace(added, splits=("train",) * len(added))
        parts = [base, training] if len(added) else [base]
        return replace(joined(parts), has_test=base.has_test, intake=intake)


def _summed(*counts: Mapping[str, int]) -> dict[str, int]:
    sizes = sorted({size for count in counts for size in count})
    return {size: sum(count.get(size, 0) for count in counts) for size in sizes}

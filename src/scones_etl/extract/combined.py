"""Sources made of others: with further training images, or under other class names."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from scones_core.class_folders import normal_form
from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_etl.extract.source import IngestStats, RawDataset, Source, class_table, joined
from scones_etl.image_format import AS_GIVEN, ImageFormat


@dataclass(frozen=True, slots=True)
class Combined:
    """The images of `base`, and those of `added` for training.

    The base's test split stays as it is, so that models before and after are measured on the
    same images. Where the base has none, one is drawn from all. A class that only `added` has is
    split by itself, as nothing else could test it.
    """

    base: Source
    added: Source

    @property
    def kind(self) -> str:
        """Both kinds, such as `cifar100+labelled`; each once, however often images were added."""
        return "+".join(dict.fromkeys(f"{self.base.kind}+{self.added.kind}".split("+")))

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

        Raises UnknownLabel for a class that neither has, and DatasetError, besides what the two
        raise, where their sizes differ.
        """
        first, further = self.base.class_names(), self.added.class_names()
        class_table(tuple(dict.fromkeys((*first, *further))), classes, self.name)
        known = LabelSet(tuple(name for name in classes if name in first))
        if not known.names:
            class_table(first, classes, self.base.name)
        base, added = self.base.read(known, image), self.added.read(classes, image)
        index = np.array([classes.index(name) for name in known], np.int64)
        base = replace(base, labels=index[base.labels])
        if len(added) and base.images.shape[1:] != added.images.shape[1:]:
            sizes = " and ".join(min(part.sizes()) for part in (base, added))
            raise DatasetError(
                f"{self.name} has images of {sizes}; set dataset.image_side to the side that all "
                "of them are to have, such as 32."
            )
        own, others = base.ingest_stats, added.ingest_stats
        stats = IngestStats(
            unreadable={**own.unreadable, **others.unreadable},
            passed_over={**own.passed_over, **others.passed_over},
            sizes=_summed(own.sizes or base.sizes(), others.sizes or added.sizes()),
        )
        training = replace(added, splits=("train",) * len(added))
        parts = [base, training] if len(added) else [base]
        return replace(
            joined(parts), own_splits=base.own_splits, ingest_stats=stats, added_from=len(base)
        )


def _summed(*counts: Mapping[str, int]) -> dict[str, int]:
    sizes = sorted({size for count in counts for size in count})
    return {size: sum(count.get(size, 0) for count in counts) for size in sizes}


@dataclass(frozen=True, slots=True)
class Renamed:
    """A source under other class names: `names` maps its own to those, several to one if wanted.

    Its own may be written in any form of Unicode. Raises UnknownLabel, with the nearest names, for
    one that the source does not have.
    """

    base: Source
    names: Mapping[str, str]

    def __post_init__(self) -> None:
        names = {normal_form(own): name for own, name in self.names.items()}
        object.__setattr__(self, "names", names)
        if self.names:
            own = self.base.class_names()
            class_table(
                own, LabelSet.of([*self.names, *(n for n in own if n not in self.names)]), self.name
            )

    @property
    def kind(self) -> str:
        """The base's kind."""
        return self.base.kind

    @property
    def name(self) -> str:
        """The base's name."""
        return self.base.name

    @property
    def sha256(self) -> str:
        """The hash over the base's hash and the names."""
        text = json.dumps([self.base.sha256, dict(self.names)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def class_names(self) -> tuple[str, ...]:
        """Return the base's classes under their new names, each once."""
        return tuple(dict.fromkeys(self.names.get(own, own) for own in self.base.class_names()))

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return the images of these classes; raises what the base raises."""
        class_table(self.class_names(), classes, self.name)
        own = [
            name for name in self.base.class_names() if self.names.get(name, name) in classes.names
        ]
        raw = self.base.read(LabelSet.of(own), image)
        index = np.array([classes.index(self.names.get(name, name)) for name in own], np.int64)
        return replace(raw, labels=index[raw.labels])

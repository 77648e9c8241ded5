"""Checks the supervision of stage one: every scene has tags, and nothing else is used."""

import numpy as np
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase

from ..contracts.tag_doubts import contrast
from .common import REGIONS, check_files

UNSEEN_BATCHES = 20  # after which a training whose views see no point is named


@HOOKS.register_module()
class WSegPCSceneTags(HookBase):
    """Refuse a tags file that does not fit the data, log its statistics, keep point labels out.

    Raises, before the first step: scenes absent from the file, scenes without any tag, names
    outside the class table, collate's mixing of scenes, scenes without regions. In training: a
    batch with point labels, unless the data set was told to read them (with_labels=True), which the
    log says. Warns of classes that cannot be learned from the tags, and of views that see no point.
    """

    batches = views = links = 0  # of this training so far

    def before_train(self):
        if self.trainer.cfg.mix_prob > 0:
            raise ValueError(
                f"mix_prob is {self.trainer.cfg.mix_prob}, stage one needs 0: collate mixes points "
                "but not tags; set mix3d_prob of the data set instead"
            )
        dataset = self.trainer.train_loader.dataset
        tags = check_tags(dataset)
        check_files(dataset, REGIONS)
        if dataset.with_labels:
            self.trainer.logger.info(
                "Point labels are read in training (with_labels=True): "
                "full supervision, as an upper bound"
            )
        self.trainer.logger.info(
            f"Scene tags of {len(tags)} scenes from {dataset.tags_file}\n"
            + tag_statistics(tags, dataset.names)
        )
        if not dataset.with_labels:
            found = {key: dataset.scene_tags[key] for key in dataset.scene_keys}
            removed = [dataset.names[i] for i in dataset.structures.classes()]
            for doubt in contrast(found, dataset.names, removed):
                self.trainer.logger.warning(f"{dataset.tags_file}: {doubt.found}; {doubt.fix}")

    def before_step(self):
        self._count_links(self.trainer.comm_info["input_dict"])
        if self.trainer.train_loader.dataset.with_labels:
            return
        leaked = [key for key in self.trainer.comm_info["input_dict"] if "segment" in key]
        if leaked:
            raise ValueError(
                f"the training batch holds point labels {leaked}; stage one trains from scene tags "
                "only: use a WSegPC data set in mode='train'"
            )

    def after_train(self):
        if self.batches < UNSEEN_BATCHES:
            self._warn_of_unseen()

    def _count_links(self, batch):
        self.batches += 1
        self.views += len(batch.get("view_size", ()))
        self.links += len(batch.get("link_point", ()))
        if self.batches == UNSEEN_BATCHES:
            self._warn_of_unseen()

    def _warn_of_unseen(self):
        """Name a training whose views see no point."""
        if self.views and not self.links:
            self.trainer.logger.warning(
                f"no view of the first {self.batches} batches sees a point: nothing connects 2D "
                "and 3D; expected poses that fit the points (`wsegpc check` says why they do not) "
                "and a depth_tolerance that the points' spacing allows"
            )


def check_tags(dataset):
    """Tags (S, C) of all scenes of a data set; one line names every scene that has a problem."""
    check_listed(dataset)
    empty = [key for key in dataset.scene_keys if dataset.scene_tags[key] == []]
    refuse_scenes(dataset, empty, "without any tag")
    return np.stack([dataset.tag_vector(key) for key in dataset.scene_keys])


def check_listed(dataset, otherwise=""):
    """Raise ValueError where scenes of a data set are absent from its tags file."""
    absent = [key for key in dataset.scene_keys if key not in dataset.scene_tags]
    refuse_scenes(dataset, absent, "absent", otherwise)


def refuse_scenes(dataset, scenes, problem, otherwise=""):
    if scenes:
        raise ValueError(
            f"{dataset.tags_file}: {len(scenes)} of {len(dataset.scenes)} scenes {problem}: "
            f"{', '.join(scenes[:5])}{' ...' if len(scenes) > 5 else ''}; "
            + " ".join(["add their tags", otherwise]).strip()
        )


def tag_statistics(tags, names):
    """Text: in what share of the scenes each class occurs, and its most frequent companions.

    A class in nearly every scene has no negatives, and two that always occur together cannot be
    told apart from tags: both show here.
    """
    together = tags.T @ tags  # (C, C), the diagonal counts the scenes of a class
    lines = []
    for i, name in enumerate(names):
        count = int(together[i, i])
        if not count:
            lines.append(f"  {name:<16} in no scene")
            continue
        others = [j for j in np.argsort(-together[i], kind="stable") if j != i and together[i, j]]
        shares = ", ".join(f"{names[j]} {100 * together[i, j] / count:.0f} %" for j in others[:4])
        lines.append(f"  {name:<16} in {100 * count / len(tags):5.1f} % of scenes; with {shares}")
    return "\n".join(lines)

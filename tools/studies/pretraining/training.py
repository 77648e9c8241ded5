"""Training of an image network on image-level labels.

B images of H x W pixels, C classes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from pointcept_wsegpc.files import atomic_path
from pointcept_wsegpc.losses.tags import scene_tag_loss
from pointcept_wsegpc.models.image_encoder import ImageEncoder
from pointcept_wsegpc.transforms.images import jitter_image

JITTER = (0.3, 0.3, 0.3, 0.1)  # brightness, contrast, saturation, hue
MIN_CROP = 0.6  # of an image's sides
SAVE_EVERY = 100  # steps


class TagNet(nn.Module):
    """An ImageEncoder and a 1x1 classifier; an image's score is the mean over its pixels."""

    def __init__(self, name: str, stages: int | None, num_classes: int):
        super().__init__()
        self.encoder = ImageEncoder(name, weights="none", num_stages=stages)
        self.classifier = nn.Conv2d(self.encoder.out_channels, num_classes, 1)

    def forward(self, images):
        """(B, 3, H, W) -> (B, C)."""
        return self.classifier(self.encoder(images)).mean((2, 3))


def batch_of(images, classes, size: int, rng):
    """`size` random images as training sees them, (B, 3, H, W), and their classes (B, C).

    A crop that cuts a thing off would make its label false: crops keep most of the image.
    """
    chosen = rng.integers(len(images), size=size)
    picked = [cropped(images[i], rng) for i in chosen]
    return stacked(picked, JITTER, rng), torch.from_numpy(classes[chosen])


def stacked(images, strength=None, rng=None) -> torch.Tensor:
    """Images of one size (H, W, 3), each jittered, as one tensor (B, 3, H, W) in 0..1."""
    pixels = [jitter_image(i, strength, rng).reshape(i.shape).transpose(2, 0, 1) for i in images]
    return torch.from_numpy(np.stack(pixels))


def cropped(image: np.ndarray, rng) -> np.ndarray:
    """A random part of an image (H, W, 3), at its size again, mirrored half of the time."""
    share = rng.uniform(MIN_CROP, 1)
    index = []
    for pixels in image.shape[:2]:
        start = rng.uniform(0, 1 - share)
        index.append(np.floor((start + share * (np.arange(pixels) + 0.5) / pixels) * pixels))
    rows, cols = (axis.astype(int) for axis in index)
    return image[np.ix_(rows, cols[::-1] if rng.random() < 0.5 else cols)]


@torch.no_grad()
def held_out(net: TagNet, images, classes) -> tuple[float, float]:
    """Loss and mean average precision of a set of images."""
    device = next(net.parameters()).device
    net.eval()
    parts = [stacked(images[i : i + 64]) for i in range(0, len(images), 64)]
    score = torch.cat([net(part.to(device)).cpu() for part in parts])
    net.train()
    loss = scene_tag_loss(score, torch.from_numpy(classes)).item()
    return loss, mean_average_precision(score.numpy(), classes)


def mean_average_precision(score: np.ndarray, classes: np.ndarray) -> float:
    """Mean over the classes of the precision at every positive; classes without any left out.

    score, classes (B, C). What a random order would reach is about the share of positives.
    """
    found = []
    for column, positive in zip(score.T, classes.T > 0, strict=True):
        if positive.any():
            hit = positive[np.argsort(-column, kind="stable")]
            found.append((hit.cumsum() / (1 + np.arange(len(hit))))[hit].mean())
    return float(np.mean(found)) if found else float("nan")


class Training:
    """Steps of AdamW with a rate that falls to zero at the end of `steps` or of `minutes`.

    They are made where the network is. What `save` writes to `file` continues, on a CPU, to the
    same weights as without an interruption, since every batch is drawn from (seed, step);
    `settings` tell whether it is the same training. Only a limit in minutes makes the result depend
    on how fast the machine is.
    """

    def __init__(self, net: TagNet, file: Path, settings: dict, rate: float, weight_decay: float):
        self.net, self.file, self.settings, self.rate = net, file, settings, rate
        self.optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=weight_decay)
        self.device = next(net.parameters()).device
        self.step, self.seconds = 0, 0.0
        if file.is_file():
            self._load()

    def run(self, images, classes, steps: int, minutes: float, batch: int, seed: int) -> None:
        self.net.train()
        begin, before = time.monotonic(), self.seconds
        interval = 0.2 if sys.stderr.isatty() else 30  # seconds; a log file wants few lines
        with tqdm(
            total=steps, initial=self.step, desc="pre-training", unit="step", mininterval=interval
        ) as progress:
            while (done := self._share_done(steps, minutes)) < 1:
                for group in self.optimizer.param_groups:
                    group["lr"] = self.rate * (1 - done) ** 0.9
                rng = np.random.default_rng([seed, 5, self.step])
                drawn = batch_of(images, classes, batch, rng)
                loss = self._update(*(part.to(self.device) for part in drawn))
                self.step += 1
                self.seconds = before + time.monotonic() - begin
                progress.update()
                if self.step % 10 == 0:
                    progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
                if self.step % SAVE_EVERY == 0:
                    self.save()

    def save(self) -> None:
        state = {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "settings": self.settings,
        }
        with atomic_path(self.file) as partial:
            torch.save(state, partial)

    def _load(self) -> None:
        state = torch.load(self.file, map_location="cpu", weights_only=True)
        if state["settings"] != self.settings:
            raise ValueError(
                f"{self.file} is of a training with {state['settings']}, asked for "
                f"{self.settings}; use the same options, or delete it to start over"
            )
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _share_done(self, steps: int, minutes: float) -> float:
        return max(self.step / steps, self.seconds / 60 / minutes)

    def _update(self, images, classes):
        loss = scene_tag_loss(self.net(images), classes)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

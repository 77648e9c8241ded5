"""The paper's equations once, slowly: float64, element by element, for tests to compare with.

Shapes: N points (or pixels) of B scenes, R regions, C classes, P pairs; all arrays are NumPy's.
"""

import numpy as np


def rows(values):
    """A tensor or array as float64."""
    return np.asarray(values.detach() if hasattr(values, "detach") else values, np.float64)


def scenes(offset):
    """(start, end) of every scene, from cumulative ends."""
    ends = [int(end) for end in offset]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def log_softmax(x):
    return x - x.max() - np.log(np.exp(x - x.max()).sum())


# ----------------------------------------------------------------------------- scene tags


def pool(logits, offset):
    """Scene scores (B, C): the mean over the points of each scene, 0 without any."""
    logits = rows(logits)
    scores = np.zeros((len(offset), logits.shape[1]))
    for b, (start, end) in enumerate(scenes(offset)):
        for i in range(start, end):
            scores[b] += logits[i] / (end - start)
    return scores


def tag_loss(scores, tags):
    """Multi-label soft margin: mean over scenes and classes of the binary cross-entropy."""
    scores, total = rows(scores), 0.0
    for x, y in zip(scores.flat, rows(tags).flat, strict=True):
        total -= y * np.log(1 / (1 + np.exp(-x))) + (1 - y) * np.log(1 - 1 / (1 + np.exp(-x)))
    return total / scores.size


def tag_softmax(logits, tags, offset):
    """Probabilities (N, C) over the classes present in a point's scene; zeros without any."""
    logits, tags = rows(logits), rows(tags)
    probs = np.zeros(logits.shape)
    for b, (start, end) in enumerate(scenes(offset)):
        present = [c for c in range(logits.shape[1]) if tags[b, c] > 0]
        for i in range(start, end):
            exponentials = np.exp(logits[i, present])
            probs[i, present] = exponentials / exponentials.sum()
    return probs


# ---------------------------------------------------------------------------- consistency


def vote(probs, region):
    """Eq. 2: mean probabilities (R, C) of each region, R = max id + 1; zeros without points."""
    probs = rows(probs)
    table = np.zeros((max(max(region, default=-1), -1) + 1, probs.shape[1]))
    for r in range(len(table)):
        members = np.flatnonzero(np.asarray(region) == r)
        for i in members:
            table[r] += probs[i] / len(members)
    return table


def labels(probs, region):
    """Eq. 3: class and confidence of every point; one outside any region votes alone."""
    probs, table = rows(probs), vote(probs, region)
    votes = [probs[i] if region[i] < 0 else table[region[i]] for i in range(len(region))]
    return [int(np.argmax(v)) for v in votes], [float(np.max(v)) for v in votes]


def thresholds(count, base):
    """Eq. 6."""
    return [base * c / max(*count, 1) for c in count]


def consistency(logits, probs, region, count, base, form="region-point"):
    """Eq. 3, 7, 8, then 5, of one batch.

    count: how often each class was kept before; fixed thresholds are those of equal counts. form:
    "region-point", "point-point" (no regions) or "region" (the region's mean logits learn).
    Returns the loss, (label, confidence) of every kept point, and the new counts.
    """
    logits, region = rows(logits), np.asarray(region)
    region = np.full(len(region), -1) if form == "point-point" else region
    label, confidence = labels(probs, region)
    limits = thresholds(count, base)
    total, kept = 0.0, []
    for i in range(len(label)):
        if confidence[i] > 0 and confidence[i] >= limits[label[i]]:
            alone = form != "region" or region[i] < 0
            learns = logits[i] if alone else logits[region == region[i]].mean(0)
            total -= log_softmax(learns)[label[i]]
            kept.append((label[i], confidence[i]))
    new = [n + sum(kept_label == c for kept_label, _ in kept) for c, n in enumerate(count)]
    return total / max(len(label), 1), kept, new


# -------------------------------------------------------------------- cross-modal guidance


def units(features):
    return np.stack([row / max(np.sqrt((row**2).sum()), 1e-12) for row in rows(features)])


def contrastive(source, target, temperature=0.07):
    """Eq. 1: mean over the pairs of -log(exp(s_i t_i / tau) / sum_j exp(s_i t_j / tau))."""
    source, target = units(source), units(target)
    total = 0.0
    for i, s in enumerate(source):
        total -= log_softmax(target @ s / temperature)[i]
    return total / len(source)


def mse(source, target):
    return np.mean([(d**2).sum() for d in units(source) - units(target)])


def affinity(source, target):
    source, target = units(source), units(target)
    total = 0.0
    for s, t in zip(source, target, strict=True):
        total += ((source @ s - target @ t) ** 2).sum()
    return total / len(source) ** 2


def cam(source_logits, target_probs):
    """Cross-entropy, mean over the pairs whose target has any class."""
    losses = []
    for x, p in zip(rows(source_logits), rows(target_probs), strict=True):
        if p.sum() > 0:
            losses.append(-(p * log_softmax(x)).sum())
    return sum(losses) / max(len(losses), 1)


GUIDANCE = {"contrastive": contrastive, "mse": mse, "affinity": affinity, "cam": cam}


# -------------------------------------------------------------------------------- metrics


def confusion(pred, target, num_classes):
    """Counts (C, C), rows = target; targets < 0 do not count."""
    counts = np.zeros((num_classes, num_classes), np.int64)
    for p, t in zip(pred, target, strict=True):
        if t >= 0:
            counts[t, p] += 1
    return counts


def mean_iou(counts):
    """Over the classes of the ground truth."""
    values = []
    for c in range(len(counts)):
        if counts[c].sum():
            values.append(counts[c, c] / (counts[c].sum() + counts[:, c].sum() - counts[c, c]))
    return np.mean(values)


# ----------------------------------------------------------------------- structure removal


def side_region(coord, region, axis, sign, reach=0.5):
    """Of the points within reach (m) of the box's lower (sign 1) or upper (-1) side on an axis:
    the region that has most of them, the lowest id where several have (None without any); how many
    it has, and how many there are."""
    height = sign * np.asarray(coord)[:, axis]
    counts, total = {}, 0
    for x, r in zip(height, region, strict=True):
        if x < height.min() + np.float32(reach):
            total += 1
            if r >= 0:
                counts[r] = counts.get(r, 0) + 1
    best = min(counts, key=lambda r: (-counts[r], r)) if counts else None
    return best, counts.get(best, 0), total

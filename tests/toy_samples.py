"""Training samples of random numbers with every key, for tests that need no data set.

N points, V views, C = 5 classes.
"""

import torch

C = 5


def toy_sample(seed=0, sizes=((3, 4), (3, 4)), points=(20, 10), own=(), links=30):
    """sizes: (H, W) of each view; points: of each source scene; own: views with tags of their own;
    the first half of the views sees the first scene."""
    torch.manual_seed(seed)
    n, scenes, views = sum(points), len(points), len(sizes)
    pixels = sum(h * w for h, w in sizes)
    tags = (torch.rand(scenes, C) < 0.5).float()
    tags[:, 0] = 1
    image_tags = tags.amax(0, keepdim=True)
    first = torch.arange(views) < (views + 1) // 2
    view_tags = torch.where(first[:, None], tags[0], tags[-1])
    tagged = torch.tensor([view in own for view in range(views)], dtype=torch.bool)
    view_tags = torch.where(tagged[:, None], view_tags * (torch.arange(C) != 1), view_tags)
    seen = torch.randint(max(views, 1), (links if views else 0,))
    low = torch.where(first, 0, points[0] if scenes > 1 else 0)[seen]
    high = torch.where(first, points[0], n)[seen]
    shape = torch.tensor(sizes, dtype=torch.int64).reshape(-1, 2)
    draw = torch.rand(3, len(seen))
    cloud = {"coord": torch.rand(n, 3), "grid_coord": torch.randint(9, (n, 3))}
    return {
        **cloud,
        "feat": torch.randn(n, 6),
        "offset": torch.tensor([n]),
        "region": torch.randint(-1, 6, (n,)),
        **{f"teacher_{key}": value for key, value in cloud.items()},
        "teacher_feat": torch.randn(n, 6),
        "teacher_offset": torch.tensor(points).cumsum(0),
        "teacher_sample_offset": torch.tensor([n]),
        "teacher_row": torch.arange(n),
        "teacher_tags": tags,
        "point_tags": image_tags,
        "image": torch.rand(pixels, 3),
        "teacher_image": torch.rand(pixels, 3),
        "image_region": torch.randint(-1, 4, (pixels,)),
        "view_size": shape,
        "view_offset": torch.tensor([views]),
        "image_tags": image_tags,
        "view_tags": view_tags,
        "view_tagged": tagged,
        "link_view": seen,
        "link_point": (low + draw[0] * (high - low)).long(),
        "link_row": (draw[1] * shape[seen, 0]).long(),
        "link_col": (draw[2] * shape[seen, 1]).long(),
        "link_offset": torch.tensor([len(seen)]),
        "name": f"toy{seed}",
    }

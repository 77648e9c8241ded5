"""Old names are refused with the new one, and nobody goes on using them."""

import pytest
import small
from pointcept.datasets.builder import DATASETS
from pointcept.engines.hooks.builder import HOOKS
from pointcept.models.builder import MODELS, build_model

from pointcept_wsegpc import renames
from pointcept_wsegpc.models.image_encoder import ImageEncoder


def spelled(new):
    return new if isinstance(new, str) else new[0]


@pytest.mark.parametrize(("old", "new"), renames.MODEL_KEYS.items())
def test_old_options_of_the_model(old, new):
    with pytest.raises(TypeError, match=f"{old}.*{spelled(new)}.*wsegpc upgrade"):
        build_model(small.model_config(**{old: 1}))


@pytest.mark.parametrize(("old", "new"), renames.DATASET_KEYS.items())
def test_old_options_of_the_data_set(old, new):
    with pytest.raises(TypeError) as error:
        DATASETS.build(small.dataset_config("nowhere", **{old: 1}))
    assert f"`{old}` is now `{new}`" in str(error.value)


def test_old_options_of_its_parts():
    with pytest.raises(TypeError, match=r"stages.*num_stages"):
        ImageEncoder("resnet18", weights="none", stages=1)
    with pytest.raises(TypeError, match=r"stem_kernel.*stem_kernel_size"):
        build_model({"type": "WSegPCMinkUNet", "stem_kernel": 3})
    with pytest.raises(TypeError, match=r"every.*every_epochs"):
        HOOKS.build({"type": "WSegPCPseudoLabelExporter", "every": 3})


@pytest.mark.parametrize(
    ("registry", "names"),
    [(MODELS, renames.MODELS), (HOOKS, renames.HOOKS), (DATASETS, renames.DATASETS)],
)
def test_old_types(registry, names):
    for old, new in names.items():
        with pytest.raises(TypeError, match=f"{old}.*{new}"):
            registry.build({"type": old})
        assert registry.get(new) is not None

"""Particles outlined by SAM 2: the model's own results, and what is made of them."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

import daskstem
from daskstem.schema.errors import InputError
from daskstem.steps import outlining

DIMS = ("frame", "scan_y", "scan_x")
SCAN = (12, 14)
SIDE = 128
"""Pixels of the tiny model's input."""


def scene():
    """Two bright squares that move by one column from frame to frame."""
    image = np.zeros((3, *SCAN), np.float32)
    masks = np.full(image.shape, -1, np.int32)
    for frame in range(3):
        for number, (row, column) in enumerate(((2, 2), (7, 8))):
            box = frame, slice(row, row + 3), slice(column + frame, column + frame + 3)
            image[box], masks[box] = 5 + number, number
    patterns = np.random.default_rng(0).poisson(9, (*image.shape, 4, 4)).astype("u2")
    ds = xr.Dataset({"patterns": ((*DIMS, "q_y", "q_x"), patterns), "dark_field": (DIMS, image)})
    return ds, masks


class BrightPart:
    """Follows what is bright around a point and near where it was: a stand-in for the model."""

    def __call__(self, pictures, places):
        inside = None
        for picture in pictures:
            parts, n_parts = ndimage.label(picture[..., 0] > 99)
            if inside is None:
                numbers = [parts[round(y), round(x)] for y, x in places]
            else:
                numbers = [np.bincount(parts[mask], minlength=n_parts + 1)[1:].argmax() + 1
                           for mask in inside]  # fmt: skip
            inside = [parts == number for number in numbers]
            yield np.stack([np.where(mask, 3.0, -3.0) for mask in inside])


POINTS = ((1, 3.0, 4.0), (2, 8.0, 11.0))


def test_particles_are_followed_from_their_points_to_both_ends(monkeypatch, tmp_path):
    ds, masks = scene()
    monkeypatch.setattr(outlining._Follower, "loaded", lambda _: BrightPart())
    given = {"tracker": "sam2", "checkpoint": str(tmp_path), "points": POINTS}
    made = daskstem.extract(ds, **given).compute()
    assert made["particle_number"].values.tolist() == [0, 1]
    np.save(tmp_path / "masks.npy", masks + 1)
    expected = daskstem.extract(ds, masks=str(tmp_path / "masks.npy")).compute()
    for name in ("particle_pattern", "particle_n_positions", "particle_n_background"):
        np.testing.assert_array_equal(made[name], expected[name])


def test_of_two_particles_at_one_place_the_surer_has_it(monkeypatch):
    ds, _ = scene()
    logits = np.stack([np.full(SCAN, 1.0), np.full(SCAN, -1.0)])
    logits[1, :, 5:] = 2.0
    monkeypatch.setattr(
        outlining._Follower, "loaded", lambda _: lambda pictures, _: (logits for _ in pictures)
    )
    found = outlining.outlined_particles(
        ds, ((0, 1, 1), (0, 2, 9)), checkpoint="any", image="dark_field"
    )
    np.testing.assert_array_equal(found, np.broadcast_to(np.arange(14) >= 5, (3, *SCAN)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "points = "),
        ({"points": POINTS}, "checkpoint = FOLDER"),
        ({"points": POINTS, "checkpoint": "c", "masks": "m.npy"}, "no masks"),
        ({"points": ((0, 12, 3),), "checkpoint": "c"}, "lies outside a series of 3 frames"),
    ],
)
def test_what_is_missing_is_said(given, said):
    with pytest.raises(InputError, match=said):
        daskstem.extract(scene()[0], tracker="sam2", **given)


def test_a_missing_library_names_the_extra(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(outlining, "import_module", absent)
    with pytest.raises(InputError, match=r"needs torch.*pip install 'daskstem\[sam2\]'"):
        daskstem.extract(scene()[0], tracker="sam2", points=POINTS, checkpoint="c")


@pytest.fixture(scope="module")
def libraries():
    """Return torch and transformers, or skip: they are heavy and an extra."""
    for name in ("torchvision", "torch", "transformers"):
        pytest.importorskip(name, reason=f"{name} is not installed: extra sam2")
    import torch
    import transformers

    return torch, transformers


@pytest.fixture(scope="module")
def checkpoint(libraries, tmp_path_factory):
    """Save a tiny SAM 2 video model with random weights."""
    torch, library = libraries
    torch.manual_seed(1)
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 16, "image_size": [SIDE, SIDE],
        "embed_dim_per_stage": [16, 32, 64, 128], "blocks_per_stage": [1, 1, 2, 1],
        "num_attention_heads_per_stage": [1, 1, 2, 2], "global_attention_blocks": [3],
        "window_size_per_stage": [8, 4, 8, 4],
    }  # fmt: skip
    vision = {
        "backbone_config": backbone, "backbone_channel_list": [128, 64, 32, 16],
        "backbone_feature_sizes": [[SIDE // n, SIDE // n] for n in (4, 8, 16)],
    }  # fmt: skip
    config = library.Sam2VideoConfig(
        vision_config=vision, prompt_encoder_config={"image_size": SIDE}, image_size=SIDE,
        memory_attention_rope_feat_sizes=[SIDE // 16, SIDE // 16], memory_attention_num_layers=1,
    )  # fmt: skip
    size, mask = ({"height": n, "width": n} for n in (SIDE, SIDE // 4))
    processor = library.Sam2VideoProcessor(
        image_processor=library.Sam2ImageProcessor(size=size, mask_size=mask),
        video_processor=library.Sam2VideoVideoProcessor(size=size), target_size=SIDE,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("checkpoint")
    library.Sam2VideoModel(config).eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_picture_after_picture_gives_what_the_library_makes_of_the_video(checkpoint, libraries):
    torch, _ = libraries
    pictures = np.random.default_rng(0).integers(0, 255, (4, *SCAN, 3), dtype="u1")
    places = [(6.0, 8.0), (10.0, 3.0)]
    follow = outlining._Follower.loaded(checkpoint)
    found = list(follow(iter(pictures), places))
    session = follow.processor.init_video_session(video=pictures, dtype=torch.float32)
    follow.processor.add_inputs_to_inference_session(
        session, frame_idx=0, obj_ids=[0, 1], input_labels=[[[1], [1]]],
        input_points=[[[[x, y]] for y, x in places]],
    )  # fmt: skip
    with torch.inference_mode():
        follow.model(inference_session=session, frame_idx=0)
    expected = [
        follow.processor.post_process_masks([one.pred_masks], [SCAN], binarize=False)[0][:, 0]
        for one in follow.model.propagate_in_video_iterator(session)
    ]
    # the same operations on one picture and on all of them, in float32
    np.testing.assert_allclose(np.stack(found), torch.stack(expected), atol=1e-5)
    assert np.stack(found)[1:].std() > 0


def test_a_folder_that_holds_no_model_is_named(checkpoint, tmp_path):
    ds, _ = scene()
    given = {"tracker": "sam2", "points": POINTS}
    with pytest.raises(InputError, match="there is no SAM 2 checkpoint at .*nowhere"):
        daskstem.extract(ds, **given, checkpoint=str(tmp_path / "nowhere"))
    for file in Path(checkpoint).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be used"):
        daskstem.extract(ds, **given, checkpoint=str(tmp_path))

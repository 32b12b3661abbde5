"""Particles outlined through a series by SAM 2, from a checkpoint that the user has.

SAM 2 (Ravi et al., arXiv:2408.00714) follows objects through a video from one point on each.
Here the video is a virtual image of every frame. The checkpoint is a folder in the layout of
the ``transformers`` library, with its weights as safetensors: no pickle is loaded.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskstem.schema import variables
from daskstem.schema.errors import InputError, first_line

OutlineImage = Literal["dark_field", "bright_field", "mean_similarity"]
Point = tuple[int, float, float]

_SHOWN: Final = (0.5, 99.5)
"""Percentiles of an image that become black and white."""


def outlined_particles(
    ds: xr.Dataset, points: Sequence[Point], *, checkpoint: str, image: OutlineImage
) -> da.Array:
    """Outline the particles at some points in all frames.

    Parameters
    ----------
    ds
        Holds the image, (frame, scan_y, scan_x).
    points
        Frame, row and column of a position on each particle.
    checkpoint
        Folder of a SAM 2 video model.
    image
        Name of the image.

    Returns
    -------
    (frame, scan_y, scan_x) int32: the number of the point whose particle a position belongs
    to, the surest of several; -1 for none. One chunk for each frame.

    Raises
    ------
    InputError
        If the libraries are not installed, the checkpoint cannot be used, or a point lies
        outside the series.
    """
    spec: variables.Variable = getattr(variables, image)
    images = da.asarray(variables.require(ds, spec).data)
    for point in points:
        refuse_outside(point, point, images.shape)
    follow = _Follower.loaded(Path(checkpoint))
    label = np.full(images.shape, -1, np.int32)
    surest = np.zeros(images.shape, np.float32)
    for first in sorted({point[0] for point in points}):
        numbers = [n for n, point in enumerate(points) if point[0] == first]
        places = [points[number][1:] for number in numbers]
        for order in (range(first, len(images)), range(first, -1, -1)):
            pictures = (_gray(np.asarray(images[frame])) for frame in order)
            for frame, found in zip(order, follow(pictures, places), strict=True):
                for number, logit in zip(numbers, found, strict=True):
                    inside = logit > surest[frame]
                    label[frame][inside] = number
                    surest[frame][inside] = logit[inside]
    return da.from_array(label, chunks=(1, *images.shape[1:]))


def refuse_outside(place: Point, point: Point, shape: tuple[int, ...]) -> None:
    """Refuse a place outside a series (frame, scan_y, scan_x), given as a certain point.

    Raises
    ------
    InputError
        If it lies outside.
    """
    if not all(0 <= at < n for at, n in zip(place, shape, strict=True)):
        raise InputError(
            f"points: {list(point)} lies outside a series of {shape[0]} frames of "
            f"{shape[1]} x {shape[2]} positions; give frame, row and column"
        )


class _Follower:
    """A SAM 2 video model, ready to follow points."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.processor = processor

    @classmethod
    def loaded(cls, folder: Path) -> "_Follower":
        library = _library()
        if not (folder / "config.json").is_file():
            raise InputError(
                f"there is no SAM 2 checkpoint at {folder}; give the folder of one, with "
                f"config.json, processor_config.json and model.safetensors"
            )
        library.utils.logging.disable_progress_bar()
        with _faults_named(folder):
            given = {"local_files_only": True, "use_safetensors": True}
            model, missing = library.Sam2VideoModel.from_pretrained(
                folder, output_loading_info=True, **given
            )
            processor = library.Sam2VideoProcessor.from_pretrained(folder, local_files_only=True)
        if missing["missing_keys"]:
            raise InputError(
                f"the checkpoint at {folder} lacks {len(missing['missing_keys'])} of the weights "
                f"of a SAM 2 video model, such as {min(missing['missing_keys'])}; give a whole one"
            )
        return cls(model.eval(), processor)

    def __call__(
        self, pictures: Iterator[np.ndarray], places: Sequence[tuple[float, float]]
    ) -> Iterator[np.ndarray]:
        """Yield the logits (particle, Y, X) of the particles in picture after picture.

        Parameters
        ----------
        pictures
            (Y, X, 3) uint8 each; the places are on the first one.
        places
            Row and column of a position on each particle.
        """
        torch = import_module("torch")
        session = self.processor.init_video_session(dtype=torch.float32)
        for number, picture in enumerate(pictures):
            seen = self.processor(images=picture, return_tensors="pt")
            if number == 0:
                self.processor.add_inputs_to_inference_session(
                    session,
                    frame_idx=0,
                    obj_ids=list(range(len(places))),
                    input_points=[[[[column, row]] for row, column in places]],
                    input_labels=[[[1] for _ in places]],
                    original_size=seen.original_sizes[0],
                )
            with torch.inference_mode():
                found = self.model(inference_session=session, frame=seen.pixel_values[0])
            masks = self.processor.post_process_masks(
                [found.pred_masks], original_sizes=seen.original_sizes, binarize=False
            )
            # what is remembered of a picture are its features; its place tells its number
            session.processed_frames[number] = torch.empty(0)
            yield masks[0][:, 0].numpy()


def _library() -> Any:
    try:
        for name in ("torch", "torchvision"):
            import_module(name)
        return import_module("transformers")
    except ImportError as error:
        raise InputError(
            f"tracker = 'sam2' needs {error.name}, which is not installed; "
            f"run: pip install 'daskstem[sam2]'"
        ) from error


@contextmanager
def _faults_named(folder: Path) -> Iterator[None]:
    try:
        yield
    # a foreign file may upset the library in any way
    except Exception as error:
        raise InputError(
            f"the checkpoint at {folder} cannot be used ({first_line(error)}); give the folder of "
            f"a SAM 2 video model with its weights as safetensors"
        ) from error


def _gray(image: np.ndarray) -> np.ndarray:
    """Return an image as gray (Y, X, 3) uint8."""
    values = np.nan_to_num(image.astype(np.float64), nan=0.0)
    low, high = np.percentile(values, _SHOWN)
    shown = (values - low) / (high - low) if high > low else np.zeros_like(values)
    levels = np.rint(255 * shown.clip(0, 1)).astype(np.uint8)
    return np.repeat(levels[..., np.newaxis], 3, axis=2)

"""What every picture is drawn with: an image in its calibration, a color scale, bins."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from daskstem.schema.errors import InputError
from daskstem.view.scale import PixelGrid, unit_text


def axes_or_new(ax: Axes | None, *, size: tuple[float, float] = (3.9, 3.5)) -> Axes:
    """Return the given axes, or those of a new figure of pyplot's.

    A notebook shows a new figure by itself, and ``matplotlib.pyplot.show()`` does in a script.
    pyplot is imported for that only: where axes are given, no global state knows of them.
    """
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.figure(figsize=size, layout="constrained").add_subplot()


def plain(ax: Axes, *, grid: bool = True) -> Axes:
    """Give curves their look: two spines, a pale grid behind them."""
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(color="0.9", linewidth=0.6)
        ax.set_axisbelow(True)
    return ax


def two_dimensional(array: xr.DataArray, dims: tuple[str, str]) -> xr.DataArray:
    """Return the array along ``dims``, without others of a single element.

    Raises
    ------
    InputError
        If another dimension has more than one element, or one of ``dims`` is missing.
    """
    single = [dim for dim in array.dims if dim not in dims and array.sizes[dim] == 1]
    one = array.squeeze(single)
    if set(one.dims) != set(dims):
        raise InputError(
            f"{array.name!r} has the dims {array.dims}, a picture needs {dims}; select one "
            f"frame or cluster first, e.g. with .isel(frame=0)"
        )
    return one.transpose(*dims)


def draw_image(
    ax: Axes,
    values: np.ndarray,
    grid: PixelGrid,
    *,
    cmap: str | Colormap | None = None,
    norm: Normalize | None = None,
) -> AxesImage:
    """Draw an image whose pixels have the size and shape that the grid says."""
    return ax.imshow(
        values,
        cmap=cmap,
        norm=norm,
        extent=grid.extent,
        aspect="equal",
        # Sharp pixels where they are larger than the screen's; but a scan of 512 positions
        # on 300 screen pixels would lose rows without smoothing.
        interpolation="auto",
    )


def draw_color_bar(ax: Axes, image: AxesImage, units: str) -> None:
    """Draw the color scale beside a map, with its unit."""
    # An inset is as high as the map whatever its shape, and takes no room from it: maps with
    # and without a bar stay the same size.
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.025, 0.0, 0.045, 1.0)))
    bar.ax.tick_params(labelsize=7)
    words = [text] if (text := unit_text(units)) else []
    if max(map(abs, image.get_clim())) >= 1e4:
        # five digits would push the unit out of the picture
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}"))
        words.insert(0, "10³")
    bar.set_label(" ".join(words), fontsize=8)


def bare(ax: Axes, title: str) -> Axes:
    """Take away the ticks, for the scale bar stands for them; set the title."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_linewidth(0.4)
    if title:
        ax.set_title(title, fontsize=8)
    return ax


def label_log_axis(axis: Axis, values: np.ndarray) -> None:
    """Label a logarithmic axis with whole numbers: few of them, none on top of another."""
    positive = values[values > 0]
    wide = positive.size > 0 and positive.max() > 50 * positive.min()
    axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _plain_number(value)))
    axis.set_minor_formatter(NullFormatter())


def _plain_number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def scaling(factor: float) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    """Return the two ways between an axis and a second one that is ``factor`` times it."""

    def there(values: np.ndarray) -> np.ndarray:
        return values * factor

    def back(values: np.ndarray) -> np.ndarray:
        return values / factor

    return there, back


def linear_norm(values: np.ndarray, percentiles: tuple[float, float]) -> Normalize:
    """Return a linear color scale between two percentiles of the finite values.

    Parameters
    ----------
    values
        Numbers of any shape.
    percentiles
        What is outside is clipped.

    Returns
    -------
    The scale; from 0 to 1 if no value is finite.

    Examples
    --------
    >>> import numpy as np
    >>> from daskstem import view
    >>> norm = view.linear_norm(np.array([1.0, 2.0, np.nan, 9.0]), (0, 100))
    >>> float(norm(5.0))
    0.5
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Normalize(0.0, 1.0)
    low, high = (float(v) for v in np.percentile(finite, percentiles))
    return Normalize(low, high) if high > low else Normalize(low - 0.5, low + 0.5)


def log_norm(
    values: np.ndarray, *, percentiles: tuple[float, float] = (2.0, 99.9), decades: float = 4.0
) -> LogNorm:
    """Return a logarithmic color scale for a pattern.

    Parameters
    ----------
    values
        Counts of any shape.
    percentiles
        Of the positive values; what is outside is clipped.
    decades
        The scale spans at most this many powers of ten.

    Returns
    -------
    The scale. It starts at half the low percentile, so that a single count stands out
    from none.

    Examples
    --------
    >>> import numpy as np
    >>> from daskstem import view
    >>> norm = view.log_norm(np.array([0, 1, 10, 1000]))
    >>> norm.vmin, norm.vmax
    (0.5, 1000.0)
    """
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0:
        return LogNorm(0.5, 1.0)
    low, high = np.percentile(positive, percentiles, method="nearest")
    low = max(low / 2, high * 10.0**-decades)
    return LogNorm(float(low), float(max(high, 2 * low)))


def size_bins(sizes: np.ndarray, *, per_decade: int = 6) -> np.ndarray:
    """Return bin edges, evenly spaced in the logarithm, that each hold a whole number.

    Examples
    --------
    >>> size_bins(np.array([1, 2, 9])).tolist()
    [0.5, 1.5, 2.5, 4.5, 6.5, 9.5]
    """
    low, high = (max(int(sizes.min()), 1), int(sizes.max())) if sizes.size else (1, 1)
    count = max(int(np.ceil(np.log10((high + 1) / low) * per_decade)), 1)
    edges = np.unique(np.round(np.geomspace(low, high + 1, count + 1)))
    return edges - 0.5

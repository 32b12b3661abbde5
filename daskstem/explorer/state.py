"""What is on the screen: shared by the page and the process, each side changes its part."""

from typing import Any

from bokeh.core.properties import Bool, Dict, Float, Int, List, Nullable, String
from bokeh.model import DataModel


class Screen(DataModel):
    """The page's controls, and what the process says to it.

    ``page.js`` binds controls and texts to the properties by their names. Requests that can
    come faster than they are answered (cursor, frame, detector, threshold) are counted: the
    page sends the next when ``answered`` has the number of the last.
    """

    # chosen on the page
    frame: Any = Int(default=0)
    shown: Any = String(default="drawn")
    outlined: Any = String(default="none")
    y: Any = Int(default=0)
    x: Any = Int(default=0)
    pattern: Any = String(default="raw")
    tone: Any = String(default="log")
    exponent: Any = Float(default=0.5)
    clip_low: Any = Float(default=1.0)
    clip_high: Any = Float(default=99.9)
    center_y: Any = Float(default=0.0)
    center_x: Any = Float(default=0.0)
    inner: Any = Float(default=0.0)
    outer: Any = Float(default=1.0)
    marks: Any = Bool(default=True)
    threshold: Any = Float(default=0.88)
    min_size: Any = Int(default=8)
    selected: Any = List(Int, default=[])
    saturation: Any = Nullable(Float, default=None)
    picked: Any = Int(default=-1)
    picked_y: Any = Int(default=0)
    picked_x: Any = Int(default=0)
    extend: Any = Bool(default=False)
    asked: Any = Dict(String, Int, default={})

    # said by the process
    answered: Any = Dict(String, Int, default={})
    facts: Any = Dict(String, String, default={})
    cluster: Any = List(List(String), default=[])
    neighbors: Any = List(List(String), default=[])
    quality: Any = List(List(String), default=[])

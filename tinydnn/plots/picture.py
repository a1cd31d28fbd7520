"""The figure that all plots return."""

import io
from typing import Any

from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tinydnn.plots.canvas import style


class Picture(Figure):
    """A figure that is drawn with this package's settings, whatever the user's are, and that a notebook shows.

    matplotlib creates ticks only when it draws, so the settings must hold then as well.
    """

    def draw(self, renderer: RendererBase) -> None:
        """Draw the figure on a renderer, the first time after laying it out."""
        with style():
            layout = self.get_layout_engine()
            if isinstance(layout, ConstrainedLayoutEngine):
                layout.execute(self)
                self.set_layout_engine("none")
                for axes in self.axes:
                    # The last bits of a layout differ from figure to figure, and with them the ids in an SVG file.
                    axes.set_position(tuple(round(edge, 6) for edge in axes.get_position().bounds))
                    axes.set_in_layout(True)
            super().draw(renderer)

    def savefig(self, *arguments: Any, **options: Any) -> None:
        """Write the figure, as `Figure.savefig` does; laid out by the same renderer for every format."""
        with style():
            FigureCanvasAgg(self).draw()  # type: ignore[no-untyped-call]
            super().savefig(*arguments, **options)

    def _repr_png_(self) -> bytes:
        """The figure as PNG, for Jupyter. A figure that pyplot does not know is shown in no other way."""
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()

"""Pictures: heatmaps, trainings, maps, and what smaller embeddings cost.

.. code-block:: python

    from usetune.plots import plot_similarity
    ax = plot_similarity(titles, encoder.encode(titles), title="base model")
    ax.figure.savefig("similarity.png")
"""

from usetune.plots.bias import plot_association
from usetune.plots.compression import plot_sizes
from usetune.plots.maps import map_2d, plot_map, plot_map_comparison
from usetune.plots.similarity import plot_similarity, plot_similarity_comparison
from usetune.plots.tensorboard import export_projector
from usetune.plots.training import plot_curves, plot_runs, plot_trade_off

__all__ = [
    "plot_similarity",
    "plot_similarity_comparison",
    "plot_curves",
    "plot_runs",
    "plot_trade_off",
    "plot_sizes",
    "plot_association",
    "map_2d",
    "plot_map",
    "plot_map_comparison",
    "export_projector",
]

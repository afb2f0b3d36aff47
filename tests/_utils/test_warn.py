import warnings

import numpy as np
import pytest

from usetune.search import Quantizer
from usetune.training.diagnostics import TrainingDiagnostics


class Constant:
    def encode(self, texts):
        return np.ones((len(texts), 1), "float32")


def test_a_warning_names_the_line_that_called_the_package():
    axes = np.eye(4, dtype="float32")
    quantizer = Quantizer("int8").fit(axes[:2])
    with pytest.warns(UserWarning, match="outside the calibrated") as caught:
        quantizer.quantize(axes)
    assert caught[0].filename == __file__
    with warnings.catch_warnings(record=True) as deeper:
        warnings.simplefilter("always")
        # Two functions of the package lie between.
        TrainingDiagnostics(Constant(), ["a", "b"]).on_epoch_end(0, {"loss": 1.0})
    assert [own.filename for own in deeper] == [__file__]

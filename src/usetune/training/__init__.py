"""Fine-tuning: data sets with their losses, batches, the training; static students.

.. code-block:: python

    from usetune.training import fine_tune
    result = fine_tune(encoder, pairs, seed=1)
    print(result.history)
"""

from usetune.training.averaging import fine_tune_soup, interpolate, trade_off
from usetune.training.callbacks import EarlyStopping, EvaluatorCallback
from usetune.training.distillation import distil
from usetune.training.fine_tuning import ARTICLE_RECIPE, FineTuned, fine_tune
from usetune.training.loss_choice import LOSSES_FOR, suggest_loss
from usetune.training.optimizers import FusedAdam, warmup_cosine
from usetune.training.siamese import build_siamese
from usetune.training.training_set import TrainingSet

__all__ = [
    "ARTICLE_RECIPE",
    "EarlyStopping",
    "FineTuned",
    "TrainingSet",
    "distil",
    "fine_tune",
    "fine_tune_soup",
    "interpolate",
    "trade_off",
    "LOSSES_FOR",
    "suggest_loss",
    "build_siamese",
    "FusedAdam",
    "warmup_cosine",
    "EvaluatorCallback",
]

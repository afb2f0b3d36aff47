from . import embedding as embedding
from . import paging as paging
from . import reporting as reporting
from . import scoring as scoring
from . import tuning as tuning

__all__ = ["embedding", "paging", "reporting", "scoring", "tuning"]

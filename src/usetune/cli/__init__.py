"""The command line ``usetune``: tune, score, embed and page.

The modules that do the work are imported by the command that needs them, as TensorFlow
takes seconds, which ``--help`` need not.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

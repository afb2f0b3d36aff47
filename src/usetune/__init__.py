"""Adapt a pre-trained sentence encoder to a domain, and measure what it cost.

The names of everyday use are here; all others are in the packages, such as
`usetune.losses.Triplet`. The list stands in ``__init__.pyi``, where editors and type
checkers read it; each name is imported when it is first used.
"""

import lazy_loader

from usetune._utils.backend import check_backend

check_backend()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

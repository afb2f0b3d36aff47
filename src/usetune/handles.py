"""How encoders are called on the Hugging Face Hub and Kaggle."""

import importlib
import re
from types import ModuleType

HUB = "hf://"
# As the Hub has it: no "--", no "..", no end in ".git", names of at most 96.
HUB_ID = re.compile(
    r"(?!.*(?:--|\.\.))(?!.*\.git$)\b[\w.-]{1,96}\b/\b[\w.-]{1,96}\b", re.ASCII
)
# Group 1 is the version.
KAGGLE_HANDLE = re.compile(
    r"[\w.-]+/[\w.-]+/(?:tensorflow2|keras|transformers|other)/[\w.-]+(/\d+)?",
    re.IGNORECASE | re.ASCII,
)


def library(name: str) -> ModuleType:
    """Import a library of the extra that shares encoders.

    Raises:
        ImportError: saying how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"encoders are shared by {name}: pip install usetune[share]"
        ) from error

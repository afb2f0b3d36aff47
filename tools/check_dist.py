"""Build wheel and sdist, and run the README's quickstart where only the wheel is.

The wheel is built from the sdist, and installed in a new environment, in a folder
without the checkout. ``make dist`` runs it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
WHERE = """\
from pathlib import Path
import usetune
from usetune.data import shipped
assert str(Path.cwd()) in usetune.__file__, usetune.__file__
Path("data").mkdir()
Path("data/training_data.csv").write_bytes(shipped("training_data.csv").read_bytes())
"""


def run(*command: str | Path, **options: object) -> None:
    """Run a command; stop if it fails."""
    print("+", *(str(part).splitlines()[0] for part in command), flush=True)
    subprocess.run(command, check=True, **options)


def main() -> None:
    """Build, check, install, run."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, ROOT)
    run(sys.executable, "-m", "twine", "check", "--strict", *DIST.iterdir())
    (wheel,) = DIST.glob("*.whl")
    readme = (ROOT / "README.md").read_text()
    quickstart = re.search(r"```python\n(.*?)```", readme, re.S)[1]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder) / "env", with_pip=True)
        python = Path(folder) / "env" / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", wheel)
        settings = {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3"}
        hidden = ("PYTHONPATH", "USETUNE_DATA")
        kept = {name: os.environ[name] for name in os.environ if name not in hidden}
        for code in (WHERE, quickstart):
            run(python, "-I", "-c", code, cwd=folder, env={**kept, **settings})


if __name__ == "__main__":
    main()

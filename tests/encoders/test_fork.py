"""In a process that was forked TensorFlow would wait for ever."""

import os
import signal
import traceback

import pytest

from tests.fakes.tiny_encoder import TinyEncoder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.parametrize(
    "use",
    [
        lambda tiny: tiny.encode(["a"]),
        lambda tiny: tiny.predict(["a"]),
        lambda _: TinyEncoder(),
    ],
    ids=["encode", "predict", "another encoder"],
)
def test_an_encoder_in_a_forked_process_says_spawn(tiny, use):
    tiny.encode(["a"])
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        # If it hangs, it is killed, and has said nothing.
        signal.alarm(20)
        try:
            use(tiny)
        except BaseException:
            os.write(writing, traceback.format_exc().encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading) as file:
        message = file.read()
    assert f"RuntimeError: an encoder was in use in process {os.getpid()}" in message
    assert "multiprocessing.get_context('spawn')" in message

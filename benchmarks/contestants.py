"""One contestant: set up, then a round of work for each line on stdin.

Prints the units of work in a round once it is ready, then the seconds of each round,
and at the end of the input the peak of resident memory in MB.

    python contestants.py NAME [cold]

A round is warmed up by one that does not count, unless ``cold`` is given.
"""

import os
import resource
import sys
import time
from functools import partial

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["HF_HUB_OFFLINE"] = "1"

from benchmarks.article import encode_plain, job_article, score_article, train_article
from benchmarks.ours import encode, encode_static, job, score, train
from benchmarks.peers import (
    encode_minilm,
    encode_minilm_int8,
    encode_model2vec,
    encode_wheel,
)
from benchmarks.products import arithmetic, matrix_product
from benchmarks.rounds import sentences, titles

CONTESTANTS = {
    "arithmetic": arithmetic,
    "matrix_product": matrix_product,
    "score": score,
    "score_article": score_article,
    "train": train,
    "train_whole_table": partial(train, whole_table=True),
    "train_article": train_article,
    "job": job,
    "job_article": job_article,
}
for name, contestant in (
    ("encode", encode),
    ("encode_bfloat16", partial(encode, precision="bfloat16")),
    ("encode_plain", encode_plain),
    ("encode_static", encode_static),
    ("encode_wheel", encode_wheel),
    ("encode_minilm", encode_minilm),
    ("encode_minilm_bfloat16", partial(encode_minilm, precision="bfloat16")),
    ("encode_minilm_int8", encode_minilm_int8),
    ("encode_model2vec", encode_model2vec),
):
    CONTESTANTS[f"{name} sentences"] = partial(contestant, sentences)
    CONTESTANTS[f"{name} titles"] = partial(contestant, titles)

if __name__ == "__main__":
    # Libraries print progress, which goes where errors go.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    contestant = CONTESTANTS[sys.argv[1]]()
    if "cold" not in sys.argv:
        contestant.work()
    print(contestant.units, file=answers)
    for _ in sys.stdin:
        start = time.perf_counter()
        left_out = contestant.work()
        seconds = time.perf_counter() - start
        if isinstance(left_out, float):
            seconds += left_out
        print(seconds, file=answers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(peak, file=answers)

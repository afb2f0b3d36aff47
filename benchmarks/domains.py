"""The recipe for a domain of one's own, on three domains and splits of each.

What an encoder gains on groups that were held out, same things and related ones, and
what it keeps: MRR@10 of other names that search their name among all names; NDCG@10 of
names that search their siblings (2 for the subgroup, 1 for the group), and the share of
siblings among the ten nearest; STS dev; where "machine learning engineer" comes for
"data scientist". Intervals are of the paired difference, 95 %, over things.

    python benchmarks/domains.py [--recipe related] [--domains esco] [--seeds 10 11]
"""

import argparse
import json
import time

import numpy as np
import pandas as pd
from experiment import DOMAINS, HELD_OUT, OUTPUT, SEEDS, load, recommended

from usetune import DomainEvaluator, load_encoder, split_pairs
from usetune.data import sibling_pairs
from usetune.encoders import Encoder
from usetune.evaluation import (
    RetrievalEvaluator,
    STSEvaluator,
    graded_relevance,
)
from usetune.training import interpolate

SIBLINGS = 3000
# 1 is the tuned encoder, 0 the base.
ALPHAS = (1.0, 0.85)
SAMPLES = 1000


def related(base: Encoder, training: pd.DataFrame, validation: pd.DataFrame) -> Encoder:
    """The same, with siblings as further pairs, and none of them as a negative."""
    training = pd.concat([training, sibling_pairs(training, SIBLINGS)])
    return recommended(base, training.assign(occupation=training["group"]), validation)


RECIPES = {"recommended": recommended, "related": related}


def search_of_siblings(
    pairs: pd.DataFrame, held_out: pd.DataFrame
) -> RetrievalEvaluator:
    """Names of the groups that were held out search the other names."""
    names = pairs.drop_duplicates("positive").set_index("positive", drop=False)
    queries = names.loc[held_out["positive"].unique()]
    relevant = graded_relevance(
        queries, names, {"subgroup": 2, "group": 1}, skip_same_id=True
    )
    relevant = {query: own for query, own in relevant.items() if own}
    return RetrievalEvaluator(
        queries["positive"][[*relevant]].to_dict(),
        names["positive"].to_dict(),
        relevant,
        ks=[10],
        skip_same_id=True,
        name="siblings",
    )


def rank(encoder: Encoder, titles: list[str]) -> int:
    """Place of "machine learning engineer" for "data scientist" among the titles."""
    query, wanted = encoder.encode(["data scientist", "machine learning engineer"])
    return 1 + int((encoder.encode(titles) @ query > wanted @ query).sum())


def measured(domain: str, seed: int, recipe: str) -> list[dict[str, object]]:
    """One split: the base beside the tuned encoder, and beside what lies between."""
    pairs = load(domain)
    training, validation = split_pairs(pairs, HELD_OUT, "group", seed)
    evaluators = {
        "same": DomainEvaluator(validation, pairs["positive"].unique()),
        "related": search_of_siblings(pairs, validation),
        "sts": STSEvaluator(),
    }
    titles = pd.Series(pairs["positive"].unique()).sample(1000, random_state=0)
    base = load_encoder()
    before = {name: each.score(base) for name, each in evaluators.items()}
    started = time.perf_counter()
    tuned = RECIPES[recipe](base, training, validation)
    seconds = time.perf_counter() - started
    results = []
    for alpha in ALPHAS:
        encoder = interpolate(base, tuned, alpha) if alpha < 1 else tuned
        result = {
            "domain": domain,
            "recipe": recipe,
            "alpha": alpha,
            "seed": seed,
            "training": len(training),
            "seconds": seconds,
        }
        for name, each in evaluators.items():
            table = before[name].compare(each.score(encoder), samples=SAMPLES)
            result[name] = table.to_dict("index")
        if domain == "esco":
            result["rank"] = [rank(e, titles.tolist()) for e in (base, encoder)]
        results.append(result)
    return results


def row(result: dict) -> dict[str, object]:
    """A line of the table."""
    shown = {
        "recall@1": ("same", "recall@1"),
        "MRR@10": ("same", "mrr@10"),
        "siblings NDCG@10": ("related", "ndcg@10"),
        "siblings share": ("related", "precision@10"),
        "STS dev": ("sts", "pearson"),
    }
    line = {key: result[key] for key in ("domain", "recipe", "alpha", "seed")}
    for title, (name, metric) in shown.items():
        m = result[name][metric]
        line[title] = (
            f"{m['base']:.3f} → {m['tuned']:.3f} ({m['difference']:+.3f}, "
            f"{m['low']:+.3f} to {m['high']:+.3f})"
        )
    line["n"] = result["same"]["mrr@10"]["n"]
    line["rank"] = " → ".join(map(str, result.get("rank", [])))
    line["seconds"] = round(result["seconds"])
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--domains", nargs="+", default=DOMAINS)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--recipe", default="recommended", choices=RECIPES)
    arguments = parser.parse_args()
    results = []
    for domain in arguments.domains:
        for seed in arguments.seeds:
            for result in measured(domain, seed, arguments.recipe):
                results.append(result)
                print(row(result), flush=True)
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / f"domains_{arguments.recipe}.json"
    path.write_text(json.dumps(results, indent=1))
    print(pd.DataFrame(map(row, results)).to_markdown(index=False))
    for (domain, alpha), own in pd.DataFrame(results).groupby(["domain", "alpha"]):
        gains = [same["mrr@10"]["difference"] for same in own["same"]]
        related = [names["ndcg@10"]["difference"] for names in own["related"]]
        sts = [scores["pearson"]["tuned"] for scores in own["sts"]]
        print(
            f"{domain}, alpha {alpha}: MRR@10 {np.mean(gains):+.4f}, siblings NDCG@10 "
            f"{np.mean(related):+.4f}, STS dev {np.mean(sts):.4f} "
            f"(at least {min(sts):.4f})"
        )


if __name__ == "__main__":
    main()

"""Papers behind the encoders and losses, as BibTeX."""

from collections.abc import Iterable

_YANG = "yang2019multilingual"
_DEVLIN = "devlin2019bert"
_REIMERS = "reimers2019sentence"
_SCHROFF = "schroff2015facenet"
_HERMANS = "hermans2017defense"

# Key → first author and others, title, year, where it can be read.
_PAPERS = {
    _YANG: (
        "Yang, Yinfei and Cer, Daniel and others",
        "Multilingual Universal Sentence Encoder for Semantic Retrieval",
        2019,
        "arXiv:1907.04307",
    ),
    _DEVLIN: (
        "Devlin, Jacob and Chang, Ming-Wei and Lee, Kenton and Toutanova, Kristina",
        "{BERT}: Pre-training of Deep Bidirectional Transformers for Language "
        "Understanding",
        2019,
        "arXiv:1810.04805",
    ),
    _REIMERS: (
        "Reimers, Nils and Gurevych, Iryna",
        "Sentence-{BERT}: Sentence Embeddings using Siamese {BERT}-Networks",
        2019,
        "arXiv:1908.10084",
    ),
    "cer2018universal": (
        "Cer, Daniel and Yang, Yinfei and others",
        "Universal Sentence Encoder",
        2018,
        "arXiv:1803.11175",
    ),
    "huang2024cosent": (
        "Huang, Xiang and Peng, Hao and others",
        "{CoSENT}: Consistent Sentence Embedding via Similarity Ranking",
        2024,
        "doi:10.1109/TASLP.2024.3402087",
    ),
    "li2023angle": (
        "Li, Xianming and Li, Jing",
        "{AnglE}-optimized Text Embeddings",
        2023,
        "arXiv:2309.12871",
    ),
    "hadsell2006dimensionality": (
        "Hadsell, Raia and Chopra, Sumit and LeCun, Yann",
        "Dimensionality Reduction by Learning an Invariant Mapping",
        2006,
        "doi:10.1109/CVPR.2006.100",
    ),
    "henderson2017efficient": (
        "Henderson, Matthew and Al-Rfou, Rami and others",
        "Efficient Natural Language Response Suggestion for Smart Reply",
        2017,
        "arXiv:1705.00652",
    ),
    "wieting2018paranmt": (
        "Wieting, John and Gimpel, Kevin",
        "{ParaNMT-50M}: Pushing the Limits of Paraphrastic Sentence Embeddings with "
        "Millions of Machine Translations",
        2018,
        "arXiv:1711.05732",
    ),
    "solatorio2024gistembed": (
        "Solatorio, Aivin V.",
        "{GISTEmbed}: Guided In-sample Selection of Training Negatives for Text "
        "Embedding Fine-tuning",
        2024,
        "arXiv:2402.16829",
    ),
    _SCHROFF: (
        "Schroff, Florian and Kalenichenko, Dmitry and Philbin, James",
        "{FaceNet}: A Unified Embedding for Face Recognition and Clustering",
        2015,
        "arXiv:1503.03832",
    ),
    _HERMANS: (
        "Hermans, Alexander and Beyer, Lucas and Leibe, Bastian",
        "In Defense of the Triplet Loss for Person Re-Identification",
        2017,
        "arXiv:1703.07737",
    ),
    "kusupati2022matryoshka": (
        "Kusupati, Aditya and Bhatt, Gantavya and others",
        "Matryoshka Representation Learning",
        2022,
        "arXiv:2205.13147",
    ),
    "gao2021scaling": (
        "Gao, Luyu and Zhang, Yunyi and Han, Jiawei and Callan, Jamie",
        "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
        2021,
        "arXiv:2101.06983",
    ),
}

# The name of a class → its papers.
_CITED = {
    "UniversalSentenceEncoder": [_YANG],
    "TransformerEncoder": [_DEVLIN, _REIMERS],
    "AngularError": ["cer2018universal"],
    "CosineSquaredError": [_REIMERS],
    "Softmax": [_REIMERS],
    "CoSENT": ["huang2024cosent"],
    "AnglE": ["li2023angle"],
    "Contrastive": ["hadsell2006dimensionality"],
    "OnlineContrastive": ["hadsell2006dimensionality"],
    "MultipleNegativesRanking": ["henderson2017efficient"],
    "MegaBatchMargin": ["wieting2018paranmt"],
    "GIST": ["solatorio2024gistembed"],
    "Triplet": [_SCHROFF],
    "BatchSemiHard": [_SCHROFF],
    "BatchAll": [_HERMANS],
    "BatchHard": [_HERMANS],
    "BatchHardSoftMargin": [_HERMANS],
    "Matryoshka": ["kusupati2022matryoshka"],
    "Cached": ["gao2021scaling"],
}


def bibtex(classes: Iterable[str]) -> str:
    """BibTeX of the papers behind encoders and losses, each once.

    Args:
        classes: names of their classes; of others there is nothing to cite.

    Returns:
        Entries with an empty line between them, perhaps none.
    """
    keys = dict.fromkeys(key for name in classes for key in _CITED.get(name, []))
    return "\n\n".join(_entry(key) for key in keys)


def _entry(key: str) -> str:
    author, title, year, place = _PAPERS[key]
    kind, number = place.split(":")
    fields = {"author": author, "title": title, "year": year}
    if kind == "arXiv":
        fields |= {"eprint": number, "archivePrefix": "arXiv"}
    else:
        fields["doi"] = number
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{key},", *lines, "}"])

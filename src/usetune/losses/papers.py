"""BibTeX of the papers that the losses come from."""

UNIVERSAL_SENTENCE_ENCODER = """\
@misc{cer2018universal,
  author = {Cer, Daniel and Yang, Yinfei and others},
  title = {Universal Sentence Encoder},
  year = {2018},
  eprint = {1803.11175},
  archivePrefix = {arXiv},
}"""

SENTENCE_BERT = """\
@misc{reimers2019sentence,
  author = {Reimers, Nils and Gurevych, Iryna},
  title = {Sentence-{BERT}: Sentence Embeddings using Siamese {BERT}-Networks},
  year = {2019},
  eprint = {1908.10084},
  archivePrefix = {arXiv},
}"""

COSENT = """\
@misc{huang2024cosent,
  author = {Huang, Xiang and Peng, Hao and others},
  title = {{CoSENT}: Consistent Sentence Embedding via Similarity Ranking},
  year = {2024},
  doi = {10.1109/TASLP.2024.3402087},
}"""

ANGLE = """\
@misc{li2023angle,
  author = {Li, Xianming and Li, Jing},
  title = {{AnglE}-optimized Text Embeddings},
  year = {2023},
  eprint = {2309.12871},
  archivePrefix = {arXiv},
}"""

CONTRASTIVE = """\
@misc{hadsell2006dimensionality,
  author = {Hadsell, Raia and Chopra, Sumit and LeCun, Yann},
  title = {Dimensionality Reduction by Learning an Invariant Mapping},
  year = {2006},
  doi = {10.1109/CVPR.2006.100},
}"""

SMART_REPLY = """\
@misc{henderson2017efficient,
  author = {Henderson, Matthew and Al-Rfou, Rami and others},
  title = {Efficient Natural Language Response Suggestion for Smart Reply},
  year = {2017},
  eprint = {1705.00652},
  archivePrefix = {arXiv},
}"""

PARANMT = """\
@misc{wieting2018paranmt,
  author = {Wieting, John and Gimpel, Kevin},
  title = {{ParaNMT-50M}: Pushing the Limits of Paraphrastic Sentence Embeddings with
    Millions of Machine Translations},
  year = {2018},
  eprint = {1711.05732},
  archivePrefix = {arXiv},
}"""

GISTEMBED = """\
@misc{solatorio2024gistembed,
  author = {Solatorio, Aivin V.},
  title = {{GISTEmbed}: Guided In-sample Selection of Training Negatives for Text
    Embedding Fine-tuning},
  year = {2024},
  eprint = {2402.16829},
  archivePrefix = {arXiv},
}"""

FACENET = """\
@misc{schroff2015facenet,
  author = {Schroff, Florian and Kalenichenko, Dmitry and Philbin, James},
  title = {{FaceNet}: A Unified Embedding for Face Recognition and Clustering},
  year = {2015},
  eprint = {1503.03832},
  archivePrefix = {arXiv},
}"""

BATCH_HARD = """\
@misc{hermans2017defense,
  author = {Hermans, Alexander and Beyer, Lucas and Leibe, Bastian},
  title = {In Defense of the Triplet Loss for Person Re-Identification},
  year = {2017},
  eprint = {1703.07737},
  archivePrefix = {arXiv},
}"""

MATRYOSHKA = """\
@misc{kusupati2022matryoshka,
  author = {Kusupati, Aditya and Bhatt, Gantavya and others},
  title = {Matryoshka Representation Learning},
  year = {2022},
  eprint = {2205.13147},
  archivePrefix = {arXiv},
}"""

GRADIENT_CACHE = """\
@misc{gao2021scaling,
  author = {Gao, Luyu and Zhang, Yunyi and Han, Jiawei and Callan, Jamie},
  title = {Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup},
  year = {2021},
  eprint = {2101.06983},
  archivePrefix = {arXiv},
}"""

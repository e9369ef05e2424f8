"""The names of the files of a model's baseline, beside its evaluation and in its archive.

Two describe the data, features and predictions, and two the errors: statistics, and the constraints that they
suggest. Standard library only.
"""

FOLDER = "baseline"
STATISTICS, CONSTRAINTS = f"{FOLDER}/statistics.json", f"{FOLDER}/constraints.json"
QUALITY = f"{FOLDER}/model_quality_statistics.json"
QUALITY_CONSTRAINTS = f"{FOLDER}/model_quality_constraints.json"
FILES = (STATISTICS, CONSTRAINTS, QUALITY, QUALITY_CONSTRAINTS)

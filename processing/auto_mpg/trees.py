"""Turns a booster into an ONNX node that predicts the same, to the bit.

XGBoost compares a feature with `<` and adds one tree after another to the base score, all in float32
(ONNX ML operator TreeEnsembleRegressor, version 3).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import xgboost
from onnx import NodeProto, helper

from common.serving import UnusableModel

Tree = Mapping[str, Any]

_NO_CHILD = -1


@dataclass(frozen=True)
class _Node:
    """A node of a tree; a leaf has no `children`, and its prediction as `value`."""

    value: float
    feature: int = 0
    children: tuple[int, int] | None = None
    missing_goes_left: bool = False


def trees_node(booster: xgboost.Booster, features: str, prediction: str) -> NodeProto:
    """The node from the float32 features, shaped (rows, features), to the prediction, shaped (rows, 1).

    Raises UnusableModel if the booster is not a sum of trees over numbers.
    """
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    if learner["objective"]["name"] != "reg:squarederror" or learner["gradient_booster"]["name"] != "gbtree":
        raise UnusableModel("only trees with the objective reg:squarederror can be written as ONNX")
    attributes: dict[str, Any] = defaultdict(list)
    # A tree of one leaf in front of the others: an added constant would be rounded differently.
    base_score = float(learner["learner_model_param"]["base_score"].strip("[]"))
    _add_tree(attributes, 0, [_Node(base_score)])
    for number, tree in enumerate(learner["gradient_booster"]["model"]["trees"], start=1):
        _add_tree(attributes, number, list(_nodes(tree)))
    return helper.make_node(
        "TreeEnsembleRegressor", [features], [prediction], domain="ai.onnx.ml", n_targets=1, **attributes
    )


def _nodes(tree: Tree) -> Iterator[_Node]:
    """The nodes that the root leads to, numbered in this order. Pruned ones are left in the file."""
    if any(tree["split_type"]):
        raise UnusableModel("a tree splits by categories, which cannot be written as ONNX")
    reached = [0]
    for node in reached:
        left, right, value = (tree[k][node] for k in ("left_children", "right_children", "split_conditions"))
        if left == _NO_CHILD:
            yield _Node(value)
        else:
            reached += [left, right]
            children = len(reached) - 2, len(reached) - 1
            yield _Node(value, tree["split_indices"][node], children, bool(tree["default_left"][node]))


def _add_tree(attributes: dict[str, Any], tree: int, nodes: list[_Node]) -> None:
    for number, node in enumerate(nodes):
        left, right = node.children or (0, 0)
        attributes["nodes_treeids"].append(tree)
        attributes["nodes_nodeids"].append(number)
        attributes["nodes_featureids"].append(node.feature)
        attributes["nodes_modes"].append("BRANCH_LT" if node.children else "LEAF")
        attributes["nodes_values"].append(node.value if node.children else 0.0)
        attributes["nodes_truenodeids"].append(left)
        attributes["nodes_falsenodeids"].append(right)
        attributes["nodes_missing_value_tracks_true"].append(int(node.missing_goes_left))
        if not node.children:
            attributes["target_treeids"].append(tree)
            attributes["target_nodeids"].append(number)
            attributes["target_ids"].append(0)
            attributes["target_weights"].append(node.value)

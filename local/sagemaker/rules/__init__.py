"""What SageMaker checks in a request besides its shape, and what the local one does not support.

Known texts of AWS are used verbatim; the others imitate its style. `unsupported` marks
features that work in AWS but not here.
"""

from __future__ import annotations

from collections.abc import Callable

from local.sagemaker.kinds import Json
from local.sagemaker.rules.common import role_is_of_this_account
from local.sagemaker.rules.endpoints import config_rules, update_rules, weights_rules
from local.sagemaker.rules.models import model_rules, package_rules, transform_rules
from local.sagemaker.rules.processing import processing_rules
from local.sagemaker.rules.tags import tag_rules, version_rules
from local.sagemaker.rules.training import training_rules, tuning_rules
from local.sagemaker.store import Store

Rule = Callable[[Json, Store], None]

_RULES: dict[str, tuple[Rule, ...]] = {
    "CreateProcessingJob": (role_is_of_this_account, processing_rules),
    "CreateTrainingJob": (training_rules, role_is_of_this_account),
    "CreateHyperParameterTuningJob": (tuning_rules, role_is_of_this_account),
    "CreateTransformJob": (transform_rules,),
    "CreateModel": (model_rules,),
    "CreateModelPackage": (package_rules, version_rules),
    "CreateEndpointConfig": (config_rules,),
    "CreateEndpoint": (update_rules,),
    "UpdateEndpoint": (update_rules,),
    "UpdateEndpointWeightsAndCapacities": (weights_rules,),
}


def check_rules(action: str, request: Json, store: Store) -> None:
    """Raise `ServiceError` for the first rule that a validly shaped request breaks."""
    for rule in (*_RULES.get(action, ()), tag_rules):
        rule(request, store)

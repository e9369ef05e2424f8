"""The only folder that uses ministack's private names, to add the services that it lacks."""

from local.embedded.seams.alarms import evaluate_alarms, install_alarms
from local.embedded.seams.branches import install_branches
from local.embedded.seams.browsers import install_cors
from local.embedded.seams.budgets import budget_may_publish, call_budgets
from local.embedded.seams.copies import install_copies
from local.embedded.seams.credentials import install_function_urls, is_public, secret_of, unauthenticated
from local.embedded.seams.custom_resources import install_custom_resources
from local.embedded.seams.deliveries import (
    install_asynchronous_events,
    install_error_types,
    install_execution_names,
    install_mailbox,
    install_version_ids,
)
from local.embedded.seams.encryption import install_encryption
from local.embedded.seams.executions import install_machine, redrive_execution, run_execution
from local.embedded.seams.function_logs import install_function_logs
from local.embedded.seams.function_permissions import install_function_permissions
from local.embedded.seams.function_versions import install_function_versions
from local.embedded.seams.handovers import install_handovers
from local.embedded.seams.journey import offer_task
from local.embedded.seams.keys import install_keys, role_may_grant
from local.embedded.seams.leading_keys import install_leading_keys
from local.embedded.seams.log_filters import install_log_filters
from local.embedded.seams.metrics import Queues, install_metrics, publish_metrics
from local.embedded.seams.missing import install_missing, object_exists
from local.embedded.seams.models import install_models
from local.embedded.seams.multipart import install_multipart
from local.embedded.seams.names import MINISTACK_VERSION, SEAMS, check, configure, settings, wait_scale
from local.embedded.seams.nested_stacks import install_nested_stacks
from local.embedded.seams.objects import install_objects
from local.embedded.seams.permissions import SagemakerResource, install_iam, refusal
from local.embedded.seams.roles import role_credentials, role_may
from local.embedded.seams.schedules import install_schedules
from local.embedded.seams.services import (
    application,
    functions_running,
    install_resource_type,
    install_service,
    install_warm_functions,
    publish_events,
)
from local.embedded.seams.stacks import install_stack_rules
from local.embedded.seams.state_tests import install_definition_checks, install_state_tests
from local.embedded.seams.transforms import install_transforms
from local.embedded.seams.unused import skip_unused

__all__ = [
    "MINISTACK_VERSION",
    "SEAMS",
    "Queues",
    "SagemakerResource",
    "application",
    "budget_may_publish",
    "call_budgets",
    "check",
    "configure",
    "evaluate_alarms",
    "functions_running",
    "install_alarms",
    "install_asynchronous_events",
    "install_branches",
    "install_copies",
    "install_cors",
    "install_custom_resources",
    "install_definition_checks",
    "install_encryption",
    "install_error_types",
    "install_execution_names",
    "install_function_logs",
    "install_function_permissions",
    "install_function_urls",
    "install_function_versions",
    "install_handovers",
    "install_iam",
    "install_keys",
    "install_leading_keys",
    "install_log_filters",
    "install_machine",
    "install_mailbox",
    "install_metrics",
    "install_missing",
    "install_models",
    "install_multipart",
    "install_nested_stacks",
    "install_objects",
    "install_resource_type",
    "install_schedules",
    "install_service",
    "install_stack_rules",
    "install_state_tests",
    "install_transforms",
    "install_version_ids",
    "install_warm_functions",
    "is_public",
    "object_exists",
    "offer_task",
    "publish_events",
    "publish_metrics",
    "redrive_execution",
    "refusal",
    "role_credentials",
    "role_may",
    "role_may_grant",
    "run_execution",
    "secret_of",
    "settings",
    "skip_unused",
    "unauthenticated",
    "wait_scale",
]

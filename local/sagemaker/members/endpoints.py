"""Endpoints and their configurations."""

from __future__ import annotations

from local.sagemaker.members.marks import REFUSED, SHOWN, TAGS, WORKS, Members, only

_VARIANT: Members = {
    "VariantName": WORKS,
    "ModelName": WORKS,
    "InitialInstanceCount": WORKS,
    "InstanceType": WORKS,
    "InitialVariantWeight": WORKS,
    "ServerlessConfig": {"MemorySizeInMB": WORKS, "MaxConcurrency": WORKS, "ProvisionedConcurrency": SHOWN},
    "VolumeSizeInGB": SHOWN,
    # The data is on this machine.
    "ModelDataDownloadTimeoutInSeconds": SHOWN,
    "ContainerStartupHealthCheckTimeoutInSeconds": WORKS,
    "EnableSSMAccess": only(False),
    "AcceleratorType": REFUSED,
    "CoreDumpConfig": REFUSED,
    "InstancePools": REFUSED,
    "VariantInstanceProvisionTimeoutInSeconds": REFUSED,
    "ManagedInstanceScaling": REFUSED,
    "RoutingConfig": REFUSED,
    "InferenceAmiVersion": REFUSED,
    "CapacityReservationConfig": REFUSED,
}
CONFIG: Members = {
    "EndpointConfigName": WORKS,
    "ProductionVariants": _VARIANT,
    "ShadowProductionVariants": REFUSED,
    "DataCaptureConfig": {
        "EnableCapture": WORKS,
        "InitialSamplingPercentage": WORKS,
        "DestinationS3Uri": WORKS,
        "KmsKeyId": WORKS,
        "CaptureOptions": {"CaptureMode": WORKS},
        "CaptureContentTypeHeader": {"CsvContentTypes": WORKS, "JsonContentTypes": WORKS},
    },
    "Tags": TAGS,
    # Of the volumes.
    "KmsKeyId": SHOWN,
    "AsyncInferenceConfig": REFUSED,
    "ExplainerConfig": REFUSED,
    "ExecutionRoleArn": REFUSED,
    "VpcConfig": REFUSED,
    "EnableNetworkIsolation": REFUSED,
    "MetricsConfig": REFUSED,
}
_SIZE: Members = {"Type": WORKS, "Value": WORKS}
_DEPLOYMENT: Members = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": WORKS,
            "WaitIntervalInSeconds": WORKS,
            "CanarySize": _SIZE,
            "LinearStepSize": _SIZE,
        },
        "TerminationWaitInSeconds": WORKS,
        "MaximumExecutionTimeoutInSeconds": WORKS,
    },
    "RollingUpdatePolicy": REFUSED,
    "AutoRollbackConfiguration": {"Alarms": {"AlarmName": WORKS}},
}
ENDPOINT: Members = {
    "EndpointName": WORKS,
    "EndpointConfigName": WORKS,
    "DeploymentConfig": _DEPLOYMENT,
    "Tags": TAGS,
}
UPDATE: Members = {
    "EndpointName": WORKS,
    "EndpointConfigName": WORKS,
    "RetainAllVariantProperties": WORKS,
    "ExcludeRetainedVariantProperties": {"VariantPropertyType": WORKS},
    "DeploymentConfig": _DEPLOYMENT,
    "RetainDeploymentConfig": WORKS,
}
WEIGHTS: Members = {
    "EndpointName": WORKS,
    "DesiredWeightsAndCapacities": {
        "VariantName": WORKS,
        "DesiredWeight": WORKS,
        "DesiredInstanceCount": WORKS,
        "ServerlessUpdateConfig": REFUSED,
    },
}

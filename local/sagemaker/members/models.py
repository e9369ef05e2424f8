"""Models and the registry."""

from __future__ import annotations

from local.sagemaker.members.marks import REFUSED, SHOWN, TAGS, WORKS, Members, only

_CONTAINER: Members = {
    # Distinguishes several containers.
    "ContainerHostname": SHOWN,
    "Image": WORKS,
    "ImageConfig": {"RepositoryAccessMode": only("Platform"), "RepositoryAuthConfig": REFUSED},
    "Mode": only("SingleModel"),
    "ModelDataUrl": WORKS,
    "ModelDataSource": REFUSED,
    "AdditionalModelDataSources": REFUSED,
    "Environment": WORKS,
    "ModelPackageName": WORKS,
    "InferenceSpecificationName": REFUSED,
    "MultiModelConfig": REFUSED,
    "ContainerMetricsConfig": REFUSED,
}
_PACKAGE_CONTAINER: Members = {
    "ContainerHostname": SHOWN,
    "Image": WORKS,
    # The digest and the tag of an image are unknown here, so a caller's values cannot be checked.
    "ImageDigest": REFUSED,
    "ModelDataUrl": WORKS,
    "ModelDataSource": REFUSED,
    "ProductId": REFUSED,
    "Environment": WORKS,
    "ModelInput": SHOWN,
    "Framework": SHOWN,
    "FrameworkVersion": SHOWN,
    "NearestModelName": SHOWN,
    "AdditionalModelDataSources": REFUSED,
    "AdditionalS3DataSource": REFUSED,
    "ModelDataETag": REFUSED,
    "IsCheckpoint": REFUSED,
    "BaseModel": REFUSED,
}
MODEL: Members = {
    "ModelName": WORKS,
    "Tags": TAGS,
    "PrimaryContainer": _CONTAINER,
    "Containers": _CONTAINER,
    "InferenceExecutionConfig": REFUSED,
    "ExecutionRoleArn": WORKS,
    "VpcConfig": REFUSED,
    "EnableNetworkIsolation": WORKS,
}
PACKAGE_GROUP: Members = {
    "ModelPackageGroupName": WORKS,
    "ModelPackageGroupDescription": SHOWN,
    "Tags": TAGS,
    "ManagedConfiguration": REFUSED,
}
PACKAGE: Members = {
    "ModelPackageName": WORKS,
    "ModelPackageGroupName": WORKS,
    "ModelPackageDescription": SHOWN,
    "ModelPackageRegistrationType": SHOWN,
    "InferenceSpecification": {
        "Containers": _PACKAGE_CONTAINER,
        "SupportedTransformInstanceTypes": SHOWN,
        "SupportedRealtimeInferenceInstanceTypes": SHOWN,
        "SupportedContentTypes": SHOWN,
        "SupportedResponseMIMETypes": SHOWN,
    },
    "ValidationSpecification": REFUSED,
    "SourceAlgorithmSpecification": REFUSED,
    "CertifyForMarketplace": only(False),
    "Tags": TAGS,
    "ModelApprovalStatus": WORKS,
    "MetadataProperties": SHOWN,
    "ModelMetrics": SHOWN,
    "ClientToken": WORKS,
    "Domain": SHOWN,
    "Task": SHOWN,
    "SamplePayloadUrl": SHOWN,
    "CustomerMetadataProperties": WORKS,
    "DriftCheckBaselines": SHOWN,
    "AdditionalInferenceSpecifications": REFUSED,
    "SkipModelValidation": only("None"),
    "SourceUri": SHOWN,
    "SecurityConfig": REFUSED,
    "ModelCard": SHOWN,
    "ModelLifeCycle": SHOWN,
    "ManagedStorageType": REFUSED,
}
PACKAGE_UPDATE: Members = {
    "ModelPackageArn": WORKS,
    "ModelApprovalStatus": WORKS,
    "ModelPackageRegistrationType": SHOWN,
    "ApprovalDescription": WORKS,
    "CustomerMetadataProperties": WORKS,
    "CustomerMetadataPropertiesToRemove": WORKS,
    "AdditionalInferenceSpecificationsToAdd": REFUSED,
    "InferenceSpecification": REFUSED,
    "SourceUri": SHOWN,
    "ModelCard": SHOWN,
    "ModelLifeCycle": SHOWN,
    "ClientToken": REFUSED,
}

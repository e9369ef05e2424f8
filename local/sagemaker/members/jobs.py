"""Processing and transform jobs."""

from __future__ import annotations

from local.sagemaker.members.marks import REFUSED, SHOWN, TAGS, WORKS, Members, only

PROCESSING_JOB: Members = {
    "ProcessingJobName": WORKS,
    "Tags": TAGS,
    "ProcessingInputs": {
        "InputName": WORKS,
        "AppManaged": only(False),
        "S3Input": {
            "S3Uri": WORKS,
            "LocalPath": WORKS,
            "S3DataType": only("S3Prefix", "ManifestFile"),
            "S3InputMode": only("File"),
            "S3DataDistributionType": WORKS,
            "S3CompressionType": only("None"),
        },
        "DatasetDefinition": REFUSED,
    },
    "ProcessingOutputConfig": {
        "Outputs": {
            "OutputName": WORKS,
            "S3Output": {"S3Uri": WORKS, "LocalPath": WORKS, "S3UploadMode": WORKS},
            "FeatureStoreOutput": REFUSED,
            "AppManaged": only(False),
        },
        "KmsKeyId": WORKS,
    },
    "ProcessingResources": {
        "ClusterConfig": {
            "InstanceCount": WORKS,
            "InstanceType": WORKS,
            "VolumeSizeInGB": SHOWN,
            "VolumeKmsKeyId": WORKS,
            "InstancePreferences": REFUSED,
            "SelectedInstanceType": REFUSED,
            "SelectedInstanceCount": REFUSED,
        }
    },
    "StoppingCondition": {"MaxRuntimeInSeconds": WORKS},
    "AppSpecification": {"ImageUri": WORKS, "ContainerEntrypoint": WORKS, "ContainerArguments": WORKS},
    "Environment": WORKS,
    "NetworkConfig": {
        "EnableInterContainerTrafficEncryption": SHOWN,
        "EnableNetworkIsolation": WORKS,
        "VpcConfig": REFUSED,
    },
    "RoleArn": WORKS,
    "ExperimentConfig": REFUSED,
}
TRANSFORM_JOB: Members = {
    "TransformJobName": WORKS,
    "Tags": TAGS,
    "ModelName": WORKS,
    # Requests are sent one after the other; the results are the same.
    "MaxConcurrentTransforms": SHOWN,
    "ModelClientConfig": REFUSED,
    "MaxPayloadInMB": WORKS,
    "BatchStrategy": WORKS,
    "Environment": WORKS,
    "TransformInput": {
        "DataSource": {
            "S3DataSource": {"S3DataType": only("S3Prefix", "ManifestFile"), "S3Uri": WORKS},
        },
        "ContentType": WORKS,
        "CompressionType": only("None", "Gzip"),
        "SplitType": only("None", "Line"),
    },
    "TransformOutput": {"S3OutputPath": WORKS, "Accept": WORKS, "AssembleWith": WORKS, "KmsKeyId": WORKS},
    "DataCaptureConfig": REFUSED,
    "TransformResources": {
        "InstanceType": WORKS,
        "InstanceCount": WORKS,
        "VolumeKmsKeyId": WORKS,
        "TransformAmiVersion": REFUSED,
    },
    "DataProcessing": {"InputFilter": WORKS, "OutputFilter": WORKS, "JoinSource": WORKS},
    "ExperimentConfig": REFUSED,
}

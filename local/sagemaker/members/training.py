"""Training and tuning jobs."""

from __future__ import annotations

from local.sagemaker.members.marks import REFUSED, SHOWN, TAGS, WORKS, Members, only

_STOPPING: Members = {
    "MaxRuntimeInSeconds": WORKS,
    "MaxWaitTimeInSeconds": WORKS,
    # A job here never waits for capacity.
    "MaxPendingTimeInSeconds": SHOWN,
}
_CHANNELS: Members = {
    "ChannelName": WORKS,
    "DataSource": {
        "S3DataSource": {
            "S3DataType": only("S3Prefix", "ManifestFile"),
            "S3Uri": WORKS,
            "S3DataDistributionType": WORKS,
            "AttributeNames": REFUSED,
            "InstanceGroupNames": REFUSED,
            "ModelAccessConfig": REFUSED,
            "HubAccessConfig": REFUSED,
        },
        "FileSystemDataSource": REFUSED,
        "DatasetSource": REFUSED,
    },
    "ContentType": WORKS,
    "CompressionType": only("None"),
    "RecordWrapperType": only("None"),
    # FastFile shows a program the same files as File.
    "InputMode": only("File", "FastFile"),
    "ShuffleConfig": REFUSED,
}
_TRAINING_RESOURCES: Members = {
    "InstanceType": WORKS,
    "InstanceCount": WORKS,
    "VolumeSizeInGB": SHOWN,
    "VolumeKmsKeyId": WORKS,
    "KeepAlivePeriodInSeconds": only(0),
    "InstanceGroups": REFUSED,
    "TrainingPlanArn": REFUSED,
    "InstancePlacementConfig": REFUSED,
    "InstancePreferences": REFUSED,
    "SelectedInstanceType": REFUSED,
    "SelectedInstanceCount": REFUSED,
}
# Members that a training job and the trials of a tuning job have in common.
_DEFINITION: Members = {
    "RoleArn": WORKS,
    "InputDataConfig": _CHANNELS,
    "OutputDataConfig": {"KmsKeyId": WORKS, "S3OutputPath": WORKS, "CompressionType": only("GZIP")},
    "ResourceConfig": _TRAINING_RESOURCES,
    "VpcConfig": REFUSED,
    "StoppingCondition": _STOPPING,
    "EnableNetworkIsolation": WORKS,
    "EnableInterContainerTrafficEncryption": SHOWN,
    "EnableManagedSpotTraining": WORKS,
    "RetryStrategy": REFUSED,
    "Environment": WORKS,
}
_ALGORITHM: Members = {
    "TrainingImage": WORKS,
    "TrainingInputMode": only("File", "FastFile"),
    "AlgorithmName": REFUSED,
    "MetricDefinitions": {"Name": WORKS, "Regex": WORKS},
}
_RANGES: Members = {
    "IntegerParameterRanges": {"Name": WORKS, "MinValue": WORKS, "MaxValue": WORKS, "ScalingType": WORKS},
    "ContinuousParameterRanges": {"Name": WORKS, "MinValue": WORKS, "MaxValue": WORKS, "ScalingType": WORKS},
    "CategoricalParameterRanges": {"Name": WORKS, "Values": WORKS},
    "AutoParameters": REFUSED,
}
TRAINING_JOB: Members = {
    **_DEFINITION,
    "TrainingJobName": WORKS,
    "Tags": TAGS,
    "HyperParameters": WORKS,
    "AlgorithmSpecification": {
        **_ALGORITHM,
        # As SageMaker's library asks for it; no page here would show the series.
        "EnableSageMakerMetricsTimeSeries": SHOWN,
        "ContainerEntrypoint": WORKS,
        "ContainerArguments": WORKS,
        "TrainingImageConfig": {
            "TrainingRepositoryAccessMode": only("Platform"),
            "TrainingRepositoryAuthConfig": REFUSED,
        },
    },
    "CheckpointConfig": {"S3Uri": WORKS, "LocalPath": WORKS},
    # The library's default, which collects nothing; a collection would need the debugger's hook.
    "DebugHookConfig": {
        "S3OutputPath": SHOWN,
        "LocalPath": SHOWN,
        "HookParameters": REFUSED,
        "CollectionConfigurations": REFUSED,
    },
    "DebugRuleConfigurations": REFUSED,
    "TensorBoardOutputConfig": REFUSED,
    "ExperimentConfig": REFUSED,
    "ProfilerConfig": {
        "DisableProfiler": only(True),
        "S3OutputPath": REFUSED,
        "ProfilingIntervalInMilliseconds": REFUSED,
        "ProfilingParameters": REFUSED,
    },
    "ProfilerRuleConfigurations": REFUSED,
    "RemoteDebugConfig": {"EnableRemoteDebug": only(False)},
    "InfraCheckConfig": {"EnableInfraCheck": only(False)},
    "SessionChainingConfig": {"EnableSessionTagChaining": only(False)},
    "ServerlessJobConfig": REFUSED,
    "MlflowConfig": REFUSED,
    "ModelPackageConfig": REFUSED,
}
TUNING_JOB: Members = {
    "HyperParameterTuningJobName": WORKS,
    "Tags": TAGS,
    "HyperParameterTuningJobConfig": {
        "Strategy": only("Bayesian", "Random", "Grid"),
        "StrategyConfig": REFUSED,
        "HyperParameterTuningJobObjective": {"Type": WORKS, "MetricName": WORKS},
        "ResourceLimits": {
            "MaxNumberOfTrainingJobs": WORKS,
            "MaxParallelTrainingJobs": WORKS,
            "MaxRuntimeInSeconds": WORKS,
        },
        "ParameterRanges": _RANGES,
        "TrainingJobEarlyStoppingType": WORKS,
        "TuningJobCompletionCriteria": {
            "TargetObjectiveMetricValue": WORKS,
            "BestObjectiveNotImproving": REFUSED,
            "ConvergenceDetected": {"CompleteOnConvergence": only("Disabled")},
        },
        "RandomSeed": WORKS,
    },
    "TrainingJobDefinition": {
        **_DEFINITION,
        "DefinitionName": WORKS,
        "StaticHyperParameters": WORKS,
        "AlgorithmSpecification": _ALGORITHM,
        "TuningObjective": REFUSED,
        "HyperParameterRanges": REFUSED,
        "HyperParameterTuningResourceConfig": {
            "InstanceType": WORKS,
            "InstanceCount": WORKS,
            "VolumeSizeInGB": SHOWN,
            "VolumeKmsKeyId": WORKS,
            "AllocationStrategy": only("Prioritized"),
            "InstanceConfigs": REFUSED,
        },
        # AWS does not document where the checkpoints of each trial lie below the URI; here it is a folder
        # with the name of its training job.
        "CheckpointConfig": {"S3Uri": WORKS, "LocalPath": WORKS},
    },
    "TrainingJobDefinitions": REFUSED,
    "WarmStartConfig": REFUSED,
    "Autotune": REFUSED,
}

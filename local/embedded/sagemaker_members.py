"""The members of each shape that Step Functions' SageMaker integration accepts, including nested ones.

Step Functions lists the actions and their parameters, but not their nested members
(https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html). It refuses unknown members
at any depth, such as `key` in a tag
(https://github.com/aws/aws-step-functions-data-science-sdk-python/issues/200). The table below is SageMaker's
API of botocore 1.20.49 (April 2021), the month of the newest field that AWS's own generators of state
machines emit (`Environment` of a training job, by the CDK), without the top-level fields that no list and no
generator has. A member missing here by mistake fails a test on a laptop; one accepted by mistake would fail a
run on AWS.
"""

from collections.abc import Mapping

_TABLE = """
Alarm: AlarmName
AlgorithmSpecification: AlgorithmName EnableSageMakerMetricsTimeSeries MetricDefinitions TrainingImage
    TrainingInputMode
AnnotationConsolidationConfig: AnnotationConsolidationLambdaArn
AppSpecification: ContainerArguments ContainerEntrypoint ImageUri
AthenaDatasetDefinition: Catalog Database KmsKeyId OutputCompression OutputFormat OutputS3Uri QueryString
    WorkGroup
AutoRollbackConfig: Alarms
BlueGreenUpdatePolicy: MaximumExecutionTimeoutInSeconds TerminationWaitInSeconds TrafficRoutingConfiguration
CapacitySize: Type Value
CaptureContentTypeHeader: CsvContentTypes JsonContentTypes
CaptureOption: CaptureMode
CategoricalParameterRange: Name Values
Channel: ChannelName CompressionType ContentType DataSource InputMode RecordWrapperType ShuffleConfig
CheckpointConfig: LocalPath S3Uri
CollectionConfiguration: CollectionName CollectionParameters
ContainerDefinition: ContainerHostname Environment Image ImageConfig Mode ModelDataUrl ModelPackageName
    MultiModelConfig
ContinuousParameterRange: MaxValue MinValue Name ScalingType
CreateEndpointConfigInput: DataCaptureConfig EndpointConfigName KmsKeyId ProductionVariants Tags
CreateEndpointInput: EndpointConfigName EndpointName Tags
CreateHyperParameterTuningJobRequest: HyperParameterTuningJobConfig HyperParameterTuningJobName Tags
    TrainingJobDefinition WarmStartConfig
CreateLabelingJobRequest: HumanTaskConfig InputConfig LabelAttributeName LabelCategoryConfigS3Uri
    LabelingJobAlgorithmsConfig LabelingJobName OutputConfig RoleArn StoppingConditions Tags
CreateModelInput: Containers EnableNetworkIsolation ExecutionRoleArn ModelName PrimaryContainer Tags
    VpcConfig
CreateProcessingJobRequest: AppSpecification Environment ExperimentConfig NetworkConfig ProcessingInputs
    ProcessingJobName ProcessingOutputConfig ProcessingResources RoleArn StoppingCondition Tags
CreateTrainingJobRequest: AlgorithmSpecification CheckpointConfig DebugHookConfig DebugRuleConfigurations
    EnableInterContainerTrafficEncryption EnableManagedSpotTraining EnableNetworkIsolation Environment
    ExperimentConfig HyperParameters InputDataConfig OutputDataConfig ProfilerConfig
    ProfilerRuleConfigurations ResourceConfig RoleArn StoppingCondition Tags TensorBoardOutputConfig
    TrainingJobName VpcConfig
CreateTransformJobRequest: BatchStrategy DataProcessing Environment MaxConcurrentTransforms MaxPayloadInMB
    ModelClientConfig ModelName Tags TransformInput TransformJobName TransformOutput TransformResources
DataCaptureConfig: CaptureContentTypeHeader CaptureOptions DestinationS3Uri EnableCapture
    InitialSamplingPercentage KmsKeyId
DataProcessing: InputFilter JoinSource OutputFilter
DataSource: FileSystemDataSource S3DataSource
DatasetDefinition: AthenaDatasetDefinition DataDistributionType InputMode LocalPath
    RedshiftDatasetDefinition
DebugHookConfig: CollectionConfigurations HookParameters LocalPath S3OutputPath
DebugRuleConfiguration: InstanceType LocalPath RuleConfigurationName RuleEvaluatorImage RuleParameters
    S3OutputPath VolumeSizeInGB
DeploymentConfig: AutoRollbackConfiguration BlueGreenUpdatePolicy
ExperimentConfig: ExperimentName TrialComponentDisplayName TrialName
FileSystemDataSource: DirectoryPath FileSystemAccessMode FileSystemId FileSystemType
HumanTaskConfig: AnnotationConsolidationConfig MaxConcurrentTaskCount NumberOfHumanWorkersPerDataObject
    PreHumanTaskLambdaArn PublicWorkforceTaskPrice TaskAvailabilityLifetimeInSeconds TaskDescription
    TaskKeywords TaskTimeLimitInSeconds TaskTitle UiConfig WorkteamArn
HyperParameterAlgorithmSpecification: AlgorithmName MetricDefinitions TrainingImage TrainingInputMode
HyperParameterTrainingJobDefinition: AlgorithmSpecification CheckpointConfig DefinitionName
    EnableInterContainerTrafficEncryption EnableManagedSpotTraining EnableNetworkIsolation
    HyperParameterRanges InputDataConfig OutputDataConfig ResourceConfig RoleArn StaticHyperParameters
    StoppingCondition TuningObjective VpcConfig
HyperParameterTuningJobConfig: HyperParameterTuningJobObjective ParameterRanges ResourceLimits Strategy
    TrainingJobEarlyStoppingType TuningJobCompletionCriteria
HyperParameterTuningJobObjective: MetricName Type
HyperParameterTuningJobWarmStartConfig: ParentHyperParameterTuningJobs WarmStartType
ImageConfig: RepositoryAccessMode RepositoryAuthConfig
IntegerParameterRange: MaxValue MinValue Name ScalingType
LabelingJobAlgorithmsConfig: InitialActiveLearningModelArn LabelingJobAlgorithmSpecificationArn
    LabelingJobResourceConfig
LabelingJobDataAttributes: ContentClassifiers
LabelingJobDataSource: S3DataSource SnsDataSource
LabelingJobInputConfig: DataAttributes DataSource
LabelingJobOutputConfig: KmsKeyId S3OutputPath SnsTopicArn
LabelingJobResourceConfig: VolumeKmsKeyId
LabelingJobS3DataSource: ManifestS3Uri
LabelingJobSnsDataSource: SnsTopicArn
LabelingJobStoppingConditions: MaxHumanLabeledObjectCount MaxPercentageOfInputDatasetLabeled
MetricDefinition: Name Regex
ModelClientConfig: InvocationsMaxRetries InvocationsTimeoutInSeconds
MultiModelConfig: ModelCacheSetting
NetworkConfig: EnableInterContainerTrafficEncryption EnableNetworkIsolation VpcConfig
OutputDataConfig: KmsKeyId S3OutputPath
ParameterRanges: CategoricalParameterRanges ContinuousParameterRanges IntegerParameterRanges
ParentHyperParameterTuningJob: HyperParameterTuningJobName
ProcessingClusterConfig: InstanceCount InstanceType VolumeKmsKeyId VolumeSizeInGB
ProcessingFeatureStoreOutput: FeatureGroupName
ProcessingInput: AppManaged DatasetDefinition InputName S3Input
ProcessingOutput: AppManaged FeatureStoreOutput OutputName S3Output
ProcessingOutputConfig: KmsKeyId Outputs
ProcessingResources: ClusterConfig
ProcessingS3Input: LocalPath S3CompressionType S3DataDistributionType S3DataType S3InputMode S3Uri
ProcessingS3Output: LocalPath S3UploadMode S3Uri
ProcessingStoppingCondition: MaxRuntimeInSeconds
ProductionVariant: AcceleratorType CoreDumpConfig InitialInstanceCount InitialVariantWeight InstanceType
    ModelName VariantName
ProductionVariantCoreDumpConfig: DestinationS3Uri KmsKeyId
ProfilerConfig: ProfilingIntervalInMilliseconds ProfilingParameters S3OutputPath
ProfilerRuleConfiguration: InstanceType LocalPath RuleConfigurationName RuleEvaluatorImage RuleParameters
    S3OutputPath VolumeSizeInGB
PublicWorkforceTaskPrice: AmountInUsd
RedshiftDatasetDefinition: ClusterId ClusterRoleArn Database DbUser KmsKeyId OutputCompression OutputFormat
    OutputS3Uri QueryString
RepositoryAuthConfig: RepositoryCredentialsProviderArn
ResourceConfig: InstanceCount InstanceType VolumeKmsKeyId VolumeSizeInGB
ResourceLimits: MaxNumberOfTrainingJobs MaxParallelTrainingJobs
S3DataSource: AttributeNames S3DataDistributionType S3DataType S3Uri
ShuffleConfig: Seed
StoppingCondition: MaxRuntimeInSeconds MaxWaitTimeInSeconds
Tag: Key Value
TensorBoardOutputConfig: LocalPath S3OutputPath
TrafficRoutingConfig: CanarySize Type WaitIntervalInSeconds
TransformDataSource: S3DataSource
TransformInput: CompressionType ContentType DataSource SplitType
TransformOutput: Accept AssembleWith KmsKeyId S3OutputPath
TransformResources: InstanceCount InstanceType VolumeKmsKeyId
TransformS3DataSource: S3DataType S3Uri
TuningJobCompletionCriteria: TargetObjectiveMetricValue
USD: Cents Dollars TenthFractionsOfACent
UiConfig: HumanTaskUiArn UiTemplateS3Uri
UpdateEndpointInput: DeploymentConfig EndpointConfigName EndpointName ExcludeRetainedVariantProperties
    RetainAllVariantProperties
VariantProperty: VariantPropertyType
VpcConfig: SecurityGroupIds Subnets
"""


def _read(table: str) -> dict[str, frozenset[str]]:
    lines = table.strip().replace("\n    ", " ").splitlines()
    return {
        shape: frozenset(members.split()) for shape, _, members in (line.partition(":") for line in lines)
    }


KNOWN_MEMBERS: Mapping[str, frozenset[str]] = _read(_TABLE)

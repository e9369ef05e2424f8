"""Script mode: what AWS's toolkits do around a training script.

``("-m", "local.sagemaker.engines.toolkit", "<toolkit>", "<root>", "<archive>", "isolated" or "connected")``:
``<root>`` stands for /opt/ml, laid out as SageMaker does; ``<archive>`` is the file that
``sagemaker_submit_directory`` names if that is in S3, else empty. A failure ends the process with the
toolkit's exit code and its message in ``<root>/output/failure``.

The toolkits (their public source; ``toolkits`` has what they differ in): sagemaker_containers 2.8.6 in the
XGBoost image, sagemaker_training in the scikit-learn (4.8) and PyTorch (5) images.
"""

"""Script mode: runs a training script as AWS's toolkits do.

``("-m", "local.sagemaker.engines.toolkit", "<toolkit>", "<root>", "<archive>", "isolated" or "connected")``:
``<root>`` takes the place of /opt/ml, in SageMaker's layout; ``<archive>`` is the file to which
``sagemaker_submit_directory`` refers if that is in S3, otherwise empty. A failure ends the process with the
toolkit's exit code and its message in ``<root>/output/failure``.

The toolkits (see their public source, and ``toolkits`` for their differences): sagemaker_containers 2.8.6 in
the XGBoost image, sagemaker_training in the scikit-learn (4.8) and PyTorch (5) images.
"""

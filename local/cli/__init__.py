"""The command line `mpg`: starts the embedded AWS, deploys to it, and follows a file through the pipeline."""

# Makes the modules of the Lambdas and the jobs importable.
import deploy as _deploy  # noqa: F401

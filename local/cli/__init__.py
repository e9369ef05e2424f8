"""The command line `mpg`: starts the embedded AWS, deploys to it, and follows a file through the pipeline."""

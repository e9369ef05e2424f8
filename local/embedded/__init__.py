"""The embedded AWS: ministack plus the services it lacks, on one port of 127.0.0.1."""

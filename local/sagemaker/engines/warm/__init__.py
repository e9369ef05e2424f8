"""Runs inside the warm interpreter, on the other side of ``processes``. Standard library only.

``zygote`` imports the libraries once and forks a ``keeper`` for each job; the keeper forks the job (``job``),
limits it, and ends with it. A job with a folder has its own view of the machine (``namespace``) or, without
namespaces, translated paths (``translation``). ``hiding`` takes away what an image lacks, and ``adoption``
gives it back to a job that brings it. Other packages import only ``hiding``.
"""

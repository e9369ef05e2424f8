"""Runs inside the warm interpreter, on the other side of ``processes``. Standard library only.

``zygote`` imports the libraries once, lets go of their code until it runs (``code_pages``), and forks each
job (``job``). A ``keeper`` in the zygote limits the job, and ends everything that it has started. A job with
a folder has its own view of the machine (``namespace``) or, without namespaces, translated paths
(``translation``). ``hiding`` takes away what an image lacks, and ``adoption`` gives it back to a job that
brings it. Other packages import only ``hiding``.
"""

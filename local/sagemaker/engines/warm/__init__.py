"""The far side of ``processes``: what runs inside the warm interpreter. Standard library only.

``zygote`` imports the libraries once and forks a ``keeper`` for each job; the keeper forks the job (``job``),
limits it, and ends with it. A job with a folder gets a view of the machine of its own (``namespace``), or has
its paths translated where there are no namespaces (``translation``). Nobody outside this package imports it,
save ``hiding``.
"""

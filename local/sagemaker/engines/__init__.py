"""Runs the jobs: warm processes, images, the built-in XGBoost, batch serving, the search of a tuning job.

The server imports only these modules, which are cheap and need no scientific library:

========================  ==========================================================================
``processes``             ``WarmWorkers``, ``Command``, ``Process``, ``Exit``
``images``                ``find_image``, ``Image``, ``UnknownImage``
``search_space``          ``Range``, ``read_ranges``, ``Observation``, ``format_value``
``early_stopping``        ``should_stop_early``
``suggester``             ``Suggester``: the next trial of a tuning job, computed in a warm process
========================  ==========================================================================

The others are programs for ``Command.argv``: ``xgboost_algorithm``, ``serving``, ``bayesian``.
"""

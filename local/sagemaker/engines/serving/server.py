"""Starts a server as AWS's images do."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import cast

from local.sagemaker.engines.serving import algorithm_mode, script_mode, torchserve, xgboost_csv
from local.sagemaker.engines.serving.install import InstallModuleError, install
from local.sagemaker.engines.serving.wsgi_client import Application, answer_to


def begin(server: str, root: Path, *, isolated: bool) -> Application | None:
    """The application; None, with the reason in the log, if it fails to start or its ping is not 200."""
    try:
        application = start(server, root, isolated=isolated)
    except InstallModuleError as error:
        print(error, file=sys.stderr)
        return None
    except (Exception, SystemExit):
        traceback.print_exc()
        return None
    return application if answer_to(application, "GET", "/ping")[0] == 200 else None


def start(server: str, root: Path, *, isolated: bool) -> Application:
    """Start an image's server, `gunicorn` or `torchserve`, and return its application."""
    return torchserve.start(root, isolated=isolated) if server == "torchserve" else _gunicorn(root, isolated)


def _gunicorn(root: Path, isolated: bool) -> Application:
    """The WSGI application that `SAGEMAKER_SERVING_MODULE` names, the image's own or the user's
    (sagemaker_containers 2.8.6, ``_server.start``).

    A script in `SAGEMAKER_PROGRAM` is installed first. gunicorn finds modules in the code folder,
    which is beside the model's folder under `SAGEMAKER_BASE_DIR`, by default /opt/ml.
    """
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", root))
    code = base / "code"
    code.mkdir(parents=True, exist_ok=True)
    program = os.environ.get("SAGEMAKER_PROGRAM")
    name = program and program.removesuffix(".py")
    if name:
        submitted = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", str(code))
        install(submitted, code, name, isolated=isolated)
        importlib.import_module(name)
    sys.path.insert(0, str(code))
    return _application(os.environ["SAGEMAKER_SERVING_MODULE"], name, base / "model")


def _application(serving_module: str, program: str | None, model: Path) -> Application:
    if serving_module == "sagemaker_xgboost_container.serving:main":
        if program is None:
            return algorithm_mode.application()
        return script_mode.application(program, model, xgboost_csv.DEFAULTS)
    if serving_module == "sagemaker_sklearn_container.serving:main":
        return script_mode.application(program, model, script_mode.SCIKIT_LEARN)
    module, _, attribute = serving_module.partition(":")
    return cast(Application, getattr(importlib.import_module(module), attribute or "application"))

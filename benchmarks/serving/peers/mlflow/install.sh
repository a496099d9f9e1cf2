#!/bin/sh
# MLflow, in an environment of its own: install.sh ENVIRONMENT [MORE REQUIREMENTS …]
set -eu
environment=$1
shift
"${PYTHON:-python3}" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check mlflow onnx onnxruntime "$@"

"""A prediction's outputs as plain values."""

from __future__ import annotations

import json
from typing import Any, cast

from google.protobuf import json_format
from headrace_proto.v1.headrace_pb2 import Prediction


def outputs(prediction: Prediction) -> dict[str, Any]:
    """A prediction's outputs as plain values: integers exact, but in form "struct" all numbers are floats.

    ```python
    from headrace_client import SyncClient, outputs

    with SyncClient() as client:
        prediction = client.predict("composer", question="why?")
        print(outputs(prediction)["answer"])
    ```
    """
    if prediction.outputs_json:
        return cast("dict[str, Any]", json.loads(prediction.outputs_json))

    return json_format.MessageToDict(prediction.outputs)

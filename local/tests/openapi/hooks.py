"""What schemathesis cannot know: sessions, the message key, and which user is whose. And what it does not check by itself: that the
reason of each refusal is one that the document has for this operation and this status."""

import itertools
import json
import os
import pathlib

import schemathesis

SEED = json.loads(pathlib.Path(os.environ["OTPOST_SEED"]).read_text())
TURNS = itertools.count()


@schemathesis.auth(refresh_interval=None)
class Auth:
    """A session for operations that need one, or the message key."""

    def get(self, case, context):
        return SEED

    def set(self, case, _, context):
        turn = next(TURNS)
        session = SEED["sessions"][turn * 7 % len(SEED["sessions"])]
        operation = context.operation.definition.raw
        schemes = {name for requirement in operation.get("security", []) for name in requirement}
        if "session" in schemes:
            case.headers["user-token"] = session["userToken"]
            if "objectId" in case.path_parameters and turn % 3:
                case.path_parameters["objectId"] = session["objectId"]
        if "messageKey" in schemes:
            case.headers["Authorization"] = f"Bearer {os.environ['OTPOST_MESSAGE_KEY']}"


@schemathesis.check
def documented_reason(context, response, case):
    """The reason of a refusal stands in the document."""
    if response.status_code < 400 or response.status_code == 405:
        return
    reason = response.json()["errorData"]["reason"]
    documented = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    examples = documented.get("content", {}).get("application/json", {}).get("examples", {})
    assert reason in examples or reason == "not_found", f"{response.status_code} {reason} is not documented"

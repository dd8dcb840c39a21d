"""Starts a stack with users and their sessions, and runs schemathesis against it."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import uuid

import stack

HERE = pathlib.Path(__file__).resolve().parent
USERS = 40
SESSIONS = 5  # of each user


def seed():
    """Users and sessions. Requests end some of them; there are more than they end."""
    word = lambda: str(uuid.uuid4()).upper()
    users = [
        {
            "objectId": word(),
            "phoneNumber": f"+1415555{1000 + number}",
            "email": f"user{number}@example.com",
            "password": "correct horse battery",
        }
        for number in range(USERS)
    ]
    sessions = [{"userToken": word(), "objectId": user["objectId"]} for user in users for _ in range(SESSIONS)]
    return {"users": users, "sessions": sessions}


def main():
    # Schemathesis keeps what it finds in the folder that it runs in.
    with tempfile.TemporaryDirectory(prefix="otpost-") as folder:
        file = pathlib.Path(folder) / "seed.json"
        file.write_text(json.dumps(seed()))
        with stack.stack(file) as url:
            config = stack.call(f"{url}/_local/config").ok()
            environment = stack.ENVIRONMENT | {
                "SCHEMATHESIS_HOOKS": "hooks",
                "PYTHONPATH": str(HERE),
                "OTPOST_SEED": str(file),
                "OTPOST_MESSAGE_KEY": config["messageKey"],
            }
            command = [pathlib.Path(sys.executable).parent / "schemathesis", "--config-file", HERE / "schemathesis.toml"]
            return subprocess.run([*command, "run", f"{url}/openapi.json"], env=environment, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())

"""Invokes every event file and calls every route; see `run` beside this."""

import json
import re
import subprocess
import sys
import time
import tomllib

import stack
from stack import TOP, Client, Failed, Plivo, check

UUID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


def main():
    stack.build()
    with stack.stack() as url, stack.watch(stack.environment(url)) as port:
        flows = Flows(url, port)
        flows.register()
        count = invoke_all(port)  # meanwhile, the wait for the next code of the registered phones passes
        flows.log_in()
        flows.check_all_called()
    print(f"\n{count} event files and {len(flows.called)} routes are answered as they should be")


# --- Event files. The rules are those of local/src/events.rs.


def invoke_all(port):
    refusals = documented_refusals()
    files = sorted(path for path in stack.SEED.parent.iterdir() if path != stack.SEED)
    check(files, "there are no event files")
    wrong = []
    for file in files:
        try:
            invoke(port, file, refusals)
            print(f"ok      {file.name}")
        except Exception as failure:  # even an answer of another shape
            wrong.append(file.name)
            print(f"FAILED  {file.name}: {failure!r}")
    check(not wrong, f"{len(wrong)} of {len(files)} event files are answered otherwise", wrong)
    return len(files)


def invoke(port, file, refusals):
    name = file.name.removesuffix(".json")
    function, what, *variant = name.split(".", 2) if "." in name else (name, None)
    refusal, success = refusals.get(what), SUCCESSES.get((function, what))
    check(function in stack.FUNCTIONS and (refusal or (success and not variant)), "its name says no answer")

    command = ["cargo", "lambda", "invoke", "-A", "127.0.0.1", "-P", str(port), function, "--data-file", str(file)]
    done = subprocess.run(command, cwd=TOP, env=stack.ENVIRONMENT, capture_output=True, text=True, timeout=300)

    event = json.loads(file.read_bytes())
    if "http" in event.get("requestContext", {}) and event.get("type") != "REQUEST":  # but for the gateway's question to an authorizer
        check(done.returncode == 0, "the invocation failed", done.stderr)
        answer = json.loads(done.stdout)
        status, body = answer["statusCode"], json.loads(answer["body"])
        check(status == (refusal or OK).status, "another status", answer)
        check(is_refusal(refusal, function, body) if refusal else success(body), "another body", answer)
    elif refusal:
        check(done.returncode == 1, "the invocation did not fail", done.stdout)
        kind, body = failure(done.stderr)
        check(kind == refusal.reason and is_refusal(refusal, function, body), "another failure", done.stderr)
    else:
        check(done.returncode == 0, "the invocation failed", done.stderr)
        check(success(json.loads(done.stdout)), "another answer", done.stdout)


class Refusal:
    """A line of docs/errors.md."""

    def __init__(self, reason, status, code):
        self.reason, self.status, self.code = reason, int(status), int(code)


OK = Refusal("", 200, 0)


def documented_refusals():
    lines = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|", (TOP / "docs/errors.md").read_text(), re.MULTILINE)
    check(lines, "docs/errors.md has no table of errors")
    return {reason: Refusal(reason, status, code) for reason, status, code in lines}


def is_refusal(refusal, function, body):
    code = 3043 if (function, refusal.reason) == ("register", "duplicate_field") else refusal.code
    waits = refusal.status == 429 or refusal.reason == "message_in_flight"
    return (
        list(body) == ["code", "message", "errorData"]
        and list(body["errorData"]) == (["reason", "retryAfter"] if waits else ["reason"])
        and (body["code"], body["errorData"]["reason"]) == (code, refusal.reason)
        and body["message"] != ""
    )


def failure(text):
    """The type and the message of a failed invocation, as cargo-lambda prints them: the type is the reason, and the message is the body
    of the HTTP response. cargo-lambda breaks long lines, which may lose a space of the body's text."""
    printed = re.match(r"Error: (\w+)\n\n  × (.*?)\n\n", text, re.DOTALL)
    check(printed, "no failed invocation", text)
    return printed[1], json.loads(printed[2].replace("\n  │ ", ""))


def is_challenge(body):
    return list(body) == ["transactionId"] and is_id(body["transactionId"])


def is_user(body):
    return body.get("___class") == "Users" and is_id(body.get("objectId")) and not {"password", "user-token"} & set(body)


def is_logged_in(body):
    return is_id(body.pop("user-token", None)) and is_user(body)


def is_accepted(body):
    return list(body) == ["message", "message_uuid", "api_id"]


def is_consents(body):
    return list(body) == ["optedOut", "records"]


def is_info(body):
    return list(body) == ["appId", "apiKey", "rtURL", "version"]


def is_id(value):
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def again(count):
    """This many messages of a batch must be delivered again."""
    return lambda body: len(body["batchItemFailures"]) == count


SUCCESSES = {
    ("register", None): is_challenge,
    ("register", "rooted"): is_challenge,
    ("register", "no-root"): is_challenge,
    ("register", "finish"): is_user,
    ("login-phone", None): is_challenge,
    ("login-phone", "json-string"): is_challenge,
    ("login-phone", "object"): is_challenge,
    ("login-phone", "no-user"): is_challenge,
    ("login-password", None): is_challenge,
    ("login-code", None): is_logged_in,
    ("login-code", "second-factor"): is_logged_in,
    # What a seed holds was never sent.
    ("login-code", "status"): lambda body: body["state"] == "unknown",
    ("send-message", None): is_accepted,
    ("send-message", "media"): is_accepted,
    ("send-message", "idempotency-key"): is_accepted,
    ("send-message", "eventbridge"): is_accepted,
    ("send-message", "scheduler"): is_accepted,
    ("send-message", "direct"): is_accepted,
    ("send-message", "consent"): is_consents,
    ("send-message", "consents"): is_consents,
    ("send-message", "sns"): lambda body: body is None,
    ("send-message", "sqs"): again(0),
    ("send-message", "sqs-poisoned"): again(0),
    ("send-message", "sqs-unknown"): again(0),
    ("send-message", "sqs-fifo"): again(0),
    ("send-message", "sqs-in-flight"): again(1),
    ("send-message", "sqs-fifo-in-flight"): again(2),
    ("authorizer", None): lambda body: body["isAuthorized"] is True,
    ("authorizer", "unknown"): lambda body: body == {"isAuthorized": False},
    ("account", None): is_user,
    ("account", "save"): is_user,
    ("account", "profile"): is_user,
    ("account", "find"): lambda body: len(body) == 1 and is_user(body[0]),
    ("account", "restore"): is_challenge,
    ("account", "count"): lambda body: body == 1,
    ("account", "columns"): lambda body: body[0]["name"] == "objectId",
    ("account", "roles"): lambda body: body == ["AuthenticatedUser", "RestUser"],
    ("account", "export"): lambda body: is_user(body["user"]),
    ("account", "verify"): lambda body: body == {"valid": True},
    ("session", None): lambda body: body is True,
    ("session", "ended"): lambda body: body is False,
    ("session", "info"): is_info,
    ("session", "me"): is_user,
    ("session", "sessions"): lambda body: sum(session["current"] for session in body) == 1,
    ("session", "token"): lambda body: list(body) == ["token", "expiresIn"],
    ("session", "openid-configuration"): lambda body: body["jwks_uri"].endswith("/.well-known/jwks.json"),
    ("session", "jwks"): lambda body: [key["kty"] for key in body["keys"]] == ["RSA"],
    ("session", "logout"): lambda body: body == {},
}


# --- Routes.


class Flows:
    """Whole flows over HTTP, through cargo-lambda's router, under each root."""

    # Numbers that neither the seed nor an event file uses. Two register under each root; the first logs in by code alone, the second by
    # password and code.
    PHONES = {"api": ("+14155550170", "+14155550171"), "application": ("+14155550172", "+14155550173")}
    WITHOUT_ROOT = "+14155550174"
    MESSAGED = "+14155550175"

    def __init__(self, url, port):
        config = stack.call(f"{url}/_local/config").ok()
        self.base = f"http://127.0.0.1:{port}"
        self.plivo = Plivo(url)
        self.called = set()
        self.router = tomllib.loads((TOP / "Cargo.toml").read_text())
        self.router = self.router["workspace"]["metadata"]["lambda"]["watch"]["router"]
        paths = {"api": "/api", "application": f"/{config['appId']}/{config['apiKey']}"}
        self.clients = {root: self.client(path, config["messageKey"]) for root, path in paths.items()}

    def client(self, root, message_key=None):
        return Client(self.base + root, self.plivo, message_key, self.note)

    def note(self, method, url):
        """Remembers the route of a call."""
        segments = url.removeprefix(self.base).split("/")
        for route, targets in self.router.items():
            pattern = route.split("/")
            same = len(pattern) == len(segments) and all(
                part == segment or part.startswith("{") for part, segment in zip(pattern, segments)
            )
            # `api` is never an application's id.
            if same and (segments[1] != "api" or pattern[1] == "api"):
                self.called |= {(route, target["method"]) for target in targets if target["method"] == method}

    def register(self):
        for root, client in self.clients.items():
            for phone in self.PHONES[root]:
                client.register(phone)
        self.client("").register(self.WITHOUT_ROOT)
        for path in ["codes/A", "messages/A", "inbound", "calls/A/answer", "calls/A/hangup"]:
            refused = self.client("").call("POST", f"/plivo/{path}", {})
            check(refused.status == 401, "a report that nobody has signed", refused)
        print("ok      registration under each root, and under none")

    def log_in(self):
        bare = self.client("")
        for key in bare.call("GET", "/.well-known/jwks.json").ok()["keys"]:
            check(key["kty"] == "RSA", "another key", key)
        check("jwks_uri" in bare.call("GET", "/.well-known/openid-configuration").ok(), "no keys")
        for root, client in self.clients.items():
            by_code, by_password = self.PHONES[root]
            client.wait_for_next_code(by_password)
            for phone, start in [(by_code, client.login), (by_password, client.login_with_password)]:
                challenge = start(phone).ok()["transactionId"]
                user = client.enter(challenge, self.plivo.code(phone)).ok()
                token = user["user-token"]
                check(user["phoneNumber"] == phone, "another user", user)
                check(client.is_valid(token) is True, "the new session is not valid")
                profile = client.profile(user["objectId"], token).ok()
                check(profile["phoneNumber"] == phone, "another profile", profile)
                self.use_account(client, user)
                client.logout(token).ok()
                check(client.is_valid(token) is False, "the session did not end")
            self.reset_password(client, by_password)
            self.end(client, by_code, "/users")
            self.end(client, by_password, "/data/Users")
            check(is_info(client.info().ok()), "no info")
            accepted = client.send({"phoneNumber": self.MESSAGED, "message": f"Hello from {root}"}).ok()
            check(is_accepted(accepted), "not Plivo's answer", accepted)
            check(self.plivo.messages(self.MESSAGED)[0]["text"] == f"Hello from {root}", "the message did not arrive")
            path, key = f"/services/Plivo/message/{accepted['message_uuid'][0]}", {"authorization": f"Bearer {client.message_key}"}
            status = client.call("GET", path, **key).ok()
            check(status["state"] == "queued", "another state", status)
            client.call("GET", f"/services/Plivo/status/{challenge}")
            self.record_consent(client)
            print(f"ok      both logins, sessions, accounts, a message and a consent under the root {root}")

    def record_consent(self, client):
        key = {"Authorization": f"Bearer {client.message_key}"}
        consent = {"phoneNumber": self.MESSAGED, "text": "Text me.", "source": "check"}
        kept = client.service("consent", consent, **key).ok()
        check(is_consents(kept) and kept["records"][-1]["text"] == "Text me.", "the consent is not kept", kept)
        shown = client.call("GET", f"/services/Plivo/consent/{self.MESSAGED}", **key).ok()
        check(shown == kept, "other consents", shown)

    def use_account(self, client, user):
        """What a user reads and changes of its account."""
        id = user["objectId"]
        call = self.caller(client, user["user-token"])
        own = lambda answer: answer["objectId"] == id
        check(own(call("GET", "/users/me")), "another user")
        check(call("PUT", f"/users/{id}", {"name": "Jane"})["name"] == "Jane", "not updated")
        check(call("PUT", "/data/Users", {"objectId": id, "name": "Joe"})["name"] == "Joe", "not updated")
        check([own(each) for each in call("POST", "/data/Users/find", {})] == [True], "not itself alone")
        check(call("POST", "/data/Users/count", {}) == 1, "not itself alone")
        for path in ["/users/userclassprops", "/data/Users/properties", "/users/userroles"]:
            check(isinstance(call("GET", path), list), f"{path} is no list")
        refused = client.call("POST", "/users/login", {"login": user["email"], "password": "of nobody"})
        check(refused.status == 400, "a login without a code")
        for path in ["/users/verifypassword", "/users/verifypassowrd"]:
            check(call("POST", path, {"password": "of nobody"}) == {"valid": False}, "a wrong password is right")
        check(isinstance(call("GET", "/users/export"), dict), "no export")
        check(call("POST", "/users/token", {})["expiresIn"] == 300, "no JWT")
        call("DELETE", "/users/sessions")
        check([each["current"] for each in call("GET", "/users/sessions")] == [True], "others are left")

    def reset_password(self, client, phone):
        before = len(self.plivo.messages(phone))
        challenge = client.call("GET", f"/users/restorepassword/{phone}").ok()["transactionId"]
        self.plivo.wait_for_another(phone, before)
        new = {"transactionId": challenge, "code": self.plivo.code(phone), "password": "another horse battery"}
        client.service("resetPassword", new).ok()

    def end(self, client, phone, path):
        """Ends a session by its id, then deletes its user."""
        for last in ["session", "user"]:
            challenge = client.login(phone).ok()["transactionId"]
            user = client.enter(challenge, self.plivo.code(phone)).ok()
            call = self.caller(client, user["user-token"])
            if last == "session":
                [session] = call("GET", "/users/sessions")
                call("DELETE", f"/users/sessions/{session['id']}")
            else:
                check("deletionTime" in call("DELETE", f"{path}/{user['objectId']}"), "not deleted")
            check(client.is_valid(user["user-token"]) is False, "the session did not end")

    def caller(self, client, token):
        return lambda method, path, body=None: client.call(method, path, body, **{"user-token": token}).ok()

    def check_all_called(self):
        routes = {(route, target["method"]) for route, targets in self.router.items() for target in targets}
        check(self.called == routes, "routes that were not called", routes - self.called)


if __name__ == "__main__":
    started = time.monotonic()
    try:
        main()
    except Failed as failure:
        sys.exit(f"run: {failure}")
    print(f"run: all passed ({time.monotonic() - started:.0f} s)")

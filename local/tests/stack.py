"""Starts what the checks of the function binaries need, on free ports of 127.0.0.1: the local stack and `cargo lambda watch`. Uses only
Python's standard library.

Everything is a context manager that ends what it started. If its block fails, it shows what the process wrote."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
TARGET = TOP / os.environ.get("CARGO_TARGET_DIR", "target")
SEED = TOP / "events" / "seed.json"
FUNCTIONS = sorted(folder.name for folder in (TOP / "functions").iterdir() if folder.is_dir())
# The environment of every process that is started: without the developer's own AWS settings, and without a proxy to this machine.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
ENVIRONMENT |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "LC_ALL": "C.UTF-8"}
# The wait between two code messages to one phone, and a second more.
SPACING = 31


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every process that was started is stopped


class Failed(Exception):
    """A check that did not hold."""


def check(holds, what, found=None):
    if not holds:
        raise Failed(what if found is None else f"{what}: {found}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(ready, process, what, seconds=60):
    """Waits until `ready` returns something, and returns it. Fails if the process ends first."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check(process.poll() is None, f"{what} has ended with exit code {process.poll()}")
        if found := ready():
            return found
        time.sleep(0.05)
    raise Failed(f"{what} is not ready after {seconds} seconds")


@contextlib.contextmanager
def process(what, command):
    """A process, and the file that it writes to. Ends the process as Ctrl-C does."""
    with tempfile.NamedTemporaryFile("w+", prefix="otpost-", suffix=".log") as log:
        running = subprocess.Popen(
            [str(part) for part in command],
            cwd=TOP,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield running, pathlib.Path(log.name)
        except BaseException:
            lines = pathlib.Path(log.name).read_text(errors="replace").splitlines()
            print(f"\nthe last lines of {what}:", *lines[-30:], sep="\n  ", file=sys.stderr)
            raise
        finally:
            stop(running)


def stop(running):
    for wanted in (signal.SIGINT, signal.SIGKILL):
        if running.poll() is None:
            running.send_signal(wanted)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(10)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def build():
    """Builds all binaries that are used below. Builds the functions without the stack, as `cargo lambda watch` does: together with it,
    some crates get more features, and watch would compile them again at the first call of each function."""
    functions = [argument for name in FUNCTIONS for argument in ("--bin", name)]
    for chosen in [["--bin", "otpost-local"], functions]:
        subprocess.run(["cargo", "build", "--locked", *chosen], cwd=TOP, check=True)


@contextlib.contextmanager
def stack(seed=SEED):
    """The local stack with a seed, by default that of the event files; yields its address. Built by `build`."""
    binary = os.environ.get("OTPOST_LOCAL", TARGET / "debug" / "otpost-local")
    command = [binary, "--port", "0", "--seed", seed]
    with process("the local stack", command) as (running, log):
        address = lambda: re.search(r"(http://127\.0\.0\.1:\d+)/_local/", log.read_text())
        yield wait_for(address, running, "the local stack")[1]


@contextlib.contextmanager
def watch(environment):
    """`cargo lambda watch` with these variables for the functions; yields its port."""
    port = free_port()
    with tempfile.NamedTemporaryFile("w", prefix="otpost-", suffix=".env") as file:
        file.write("".join(f"{name}={value}\n" for name, value in environment.items()))
        file.flush()
        address = ["-A", "127.0.0.1", "-P", port]
        command = ["cargo", "lambda", "watch", *address, "--ignore-changes", "--env-file", file.name]
        with process("cargo lambda watch", command) as (running, _):
            wait_for(lambda: listens(port), running, "cargo lambda watch")
            yield port


def environment(url):
    """The environment of a function that runs beside the stack."""
    lines = urllib.request.urlopen(f"{url}/_local/environment", timeout=10).read().decode().splitlines()
    return dict(line.split("=", 1) for line in lines)


class Answer:
    def __init__(self, status, body):
        self.status = status
        self.text = body.decode()

    @property
    def body(self):
        try:
            return json.loads(self.text)
        except ValueError:
            raise Failed(f"no JSON: {self}") from None

    @property
    def reason(self):
        return self.body["errorData"]["reason"] if self.status >= 400 else None

    def ok(self):
        check(self.status == 200, "refused", self)
        return self.body

    def __str__(self):
        return f"{self.status} {self.text}"


def call(url, method="GET", body=None, headers=None):
    """An HTTP request with a JSON body."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return Answer(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read())


class Plivo:
    """What the stack's simulated Plivo delivered."""

    def __init__(self, url):
        self.url = url

    def messages(self, phone):
        return call(f"{self.url}/_local/messages?to={urllib.parse.quote(phone)}").ok()

    def code(self, phone):
        messages = self.messages(phone)
        check(messages, f"no message to {phone}")
        return re.match(r"\d+", messages[0]["text"])[0]


    def wait_for_another(self, phone, before):
        """Waits until the phone has more messages than before. The stack answers when there is news."""
        for _ in range(10):
            news = call(f"{self.url}/_local/events").ok()["version"]
            if len(self.messages(phone)) > before:
                return
            call(f"{self.url}/_local/events?after={news}").ok()
        raise Failed(f"no further message to {phone}")


class Client:
    """The operations below one root, as an app calls them. `note` is told of each call."""

    def __init__(self, url, plivo, message_key=None, note=lambda method, url: None):
        self.url, self.plivo, self.message_key, self.note = url, plivo, message_key, note
        self.registered = {}

    def call(self, method, path, body=None, **headers):
        self.note(method, self.url + path)
        return call(self.url + path, method, body, headers)

    def start(self, phone):
        return self.call("POST", "/users/register", {"phoneNumber": phone})

    def finish(self, phone, challenge, **properties):
        """Registers with the code that was sent."""
        person = {"phoneNumber": phone, "email": email(phone), "password": password(phone), **properties}
        code = {"transactionId": challenge, "transactionCode": self.plivo.code(phone)}
        return self.call("POST", "/users/register", person | code)

    def register(self, phone):
        """Does both steps, and returns the user."""
        challenge = self.start(phone).ok()["transactionId"]
        self.registered[phone] = time.monotonic()
        user = self.finish(phone, challenge, name="Someone").ok()
        check(user["phoneNumber"] == phone and user["name"] == "Someone", "another user", user)
        check("user-token" not in user and "password" not in user, "a user with secrets", user)
        return user

    def wait_for_next_code(self, phone):
        """Waits until a phone that registered here may get another code."""
        time.sleep(max(0.0, self.registered[phone] + SPACING - time.monotonic()))

    def service(self, name, body, **headers):
        return self.call("POST", f"/services/Plivo/{name}", body, **headers)

    def login(self, phone):
        """Starts a user's login. The service answers before it sends the code, so this waits for the code as well."""
        before = len(self.plivo.messages(phone))
        answer = self.service("loginWithPhoneNumber", phone)
        if answer.status == 200:
            self.plivo.wait_for_another(phone, before)
        return answer

    def login_with_password(self, phone, entered=None):
        person = {"phoneNumber": phone, "password": entered or password(phone)}
        return self.service("loginWithPhoneNumberAndPassword", person)

    def enter(self, challenge, code):
        return self.service("loginWithCode", {"transactionId": challenge, "code": code})

    def send(self, body, **headers):
        return self.service("sendMessage", body, Authorization=f"Bearer {self.message_key}", **headers)

    def is_valid(self, token):
        return self.call("GET", f"/users/isvalidusertoken/{token}").ok()

    def profile(self, user, token):
        return self.call("GET", f"/data/Users/{user}", **{"user-token": token})

    def logout(self, token):
        return self.call("GET", "/users/logout", **{"user-token": token})

    def info(self):
        return self.call("GET", "/info")


def email(phone):
    return f"user{phone[-4:]}@example.com"


def password(phone):
    return f"correct horse {phone[-4:]}"

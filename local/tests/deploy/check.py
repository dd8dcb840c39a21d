"""Runs ./deploy against moto; see `run` beside this.

Moto's CloudFormation makes no secrets, no functions and no FIFO queues without a name. So ./deploy runs in a copy of the repository whose
template has the real parameters, rules and tables, but no other resources, and whose outputs name secrets that were made before. The rest
of the real template is only validated and built (local/tests/template/run) and compared with the code (local/tests/it/template.rs)."""

import contextlib
import http.server
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import boto3
import stack
import yaml
from stack import TOP, check

REGION = "us-east-1"
STACK = "otpost"
AUTH_ID, TOKEN, SENDER = "MAXXXXXXXXXXXXXXXXXX", "0123456789abcdefghijTOKEN", "+14155550199"
ANSWERS = {"PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": TOKEN, "PLIVO_SENDER": SENDER, "ALARM_EMAIL": "jane@example.com"}
ARCHITECTURE = {"x86_64": "x86_64"}.get(os.uname().machine, "arm64")
# A value with everything that a shell, YAML, JSON or SAM could take for something else.
ODD = "\"It's\" $5, & <#1>"


def main(tools):
    with tempfile.TemporaryDirectory(prefix="otpost-") as folder, moto() as endpoint, api() as (url, starts):
        folder = pathlib.Path(folder)
        aws = Aws(endpoint)
        copy = Copy(folder, tools, endpoint, url)
        the_template_is_read_as_yaml_reads_it(copy)
        a_plan_makes_nothing(copy, aws)
        what_is_missing_is_named(copy, folder)
        wrong_settings_are_refused_before_the_build(copy)
        without_a_terminal_what_is_missing_is_refused(copy)
        at_a_terminal_four_things_are_asked(copy, aws, starts)
        an_update_asks_and_changes_nothing(copy, aws)
        own_texts_are_checked_before_the_build(copy, folder)
        an_ended_deployment_leaves_no_file(copy, folder)
        changed_settings_are_shown_and_confirmed(copy, aws)
        a_captcha_on_a_deployed_stack_needs_its_key_before_the_build(copy, aws)
        odd_values_arrive_as_they_are(copy, aws)
        a_plan_compares_with_what_is_deployed(copy)
        the_users_outlive_the_stack(copy, aws)
        with_data_everything_goes(copy, aws)
        a_guided_deployment_takes_enter_for_every_default(copy)


def passed(what):
    print(f"ok      {what}")


# --- What ./deploy runs against.


@contextlib.contextmanager
def moto():
    port, server = stack.free_port(), pathlib.Path(__file__).with_name("moto_server.py")
    with stack.process("moto", [sys.executable, server, "-H", "127.0.0.1", "-p", port]) as (running, _):
        stack.wait_for(lambda: stack.listens(port), running, "moto")
        # Only below this name does moto find an uploaded template.
        yield f"http://localhost:{port}"


@contextlib.contextmanager
def api():
    """The deployed API, for the test code. Yields its address and what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body))
            is_good = len(body["phoneNumber"]) > 5
            answer = {"transactionId": "T"} if is_good else {"code": 8011, "errorData": {"reason": "phone_invalid"}}
            self.send_response(200 if is_good else 400)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()


class Aws:
    """What is in the account."""

    def __init__(self, endpoint):
        key = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        client = lambda name: boto3.client(name, endpoint_url=endpoint, region_name=REGION, **key)
        self.cloudformation, self.dynamodb, self.secrets = map(client, ["cloudformation", "dynamodb", "secretsmanager"])
        for name in ["root", "message"]:
            self.secrets.create_secret(Name=name, SecretString="a key")

    def stack(self):
        """The deployed stack, or None."""
        found = [one for one in self.cloudformation.describe_stacks()["Stacks"] if one["StackName"] == STACK]
        return found[0] if found else None

    def parameters(self):
        return {one["ParameterKey"]: one["ParameterValue"] for one in self.stack()["Parameters"]}

    def users_table(self):
        return {one["OutputKey"]: one["OutputValue"] for one in self.stack()["Outputs"]}["UsersTable"]

    def tables(self):
        return self.dynamodb.list_tables()["TableNames"]

    def secret_names(self):
        return sorted(one["Name"] for one in self.secrets.list_secrets()["SecretList"])


class Copy:
    """The copy of the repository, and its ./deploy with a recorder before sam and aws."""

    def __init__(self, folder, tools, endpoint, url):
        self.top, self.record = folder / "repository", folder / "record"
        for name in ["docs", "shared"]:
            (self.top / name).mkdir(parents=True)
        self.record.mkdir()
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        for name in ["deploy", "deploy.env", "samconfig.toml", "docs/cost.md", "shared/texts.json"]:
            shutil.copy(TOP / name, self.top / name)
        shutil.copy(TOP / "template.yaml", self.top / "real.yaml")
        self.write("template.yaml", stand_in(url))
        self.settings = f"ARCHITECTURE={ARCHITECTURE}\n"
        programs = folder / "bin"
        programs.mkdir()
        for name in ["sam", "aws"]:
            recorder(programs / name, tools / name / "bin" / name, self.record)
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TMPDIR": str(self.temporary),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(pathlib.Path.home() / ".rustup")),
            "CARGO_HOME": os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo")),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": REGION,
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "1",
            "LC_ALL": "C.UTF-8",
        }

    def write(self, name, text):
        (self.top / name).write_text(text)

    def command(self, arguments):
        self.write("deploy.env", self.settings)
        for file in self.record.iterdir():
            file.unlink()
        return [sys.executable, str(self.top / "deploy"), *arguments]

    def run(self, *arguments, code=0, environment=None, **more):
        """Runs ./deploy without a terminal, and returns what it printed."""
        environment = self.environment if environment is None else environment
        options = {"cwd": "/", "env": environment | more, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        done = subprocess.run(self.command(arguments), **options)
        shown = done.stdout + done.stderr
        check(done.returncode == code, f"exit code {done.returncode}, not {code}", shown)
        self.check_token(shown)
        return shown

    def talk(self, *dialogue, arguments=(), command=None, code=0):
        """Runs ./deploy, or another command, at a terminal, answers each question once it is asked, and returns what was shown."""
        command = command or self.command(arguments)
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.top)
            os.execvpe(command[0], command, self.environment)
        raw, shown = b"", ""
        for question, answer in [*dialogue, (None, None)]:
            start = len(shown)
            while question is None or question not in shown[start:]:
                ready, _, _ = select.select([terminal], [], [], 120)
                check(ready, f"no question {question}", shown)
                try:
                    raw += os.read(terminal, 4096)
                    # Without colours, also one that has arrived in part.
                    shown = re.sub(rb"\x1b\[\d*m|\x1b(\[\d*)?$", b"", raw).decode(errors="replace")
                except OSError:  # it has ended
                    check(question is None, f"it ended without asking {question}", shown)
                    break
            if question is not None:
                os.write(terminal, f"{answer}\n".encode())
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        check(ended == code, f"exit code {ended}, not {code}", shown)
        self.check_token(shown)
        return shown

    def calls(self):
        """The command lines of sam and aws, in order."""
        return [json.loads(line) for file in self.record.glob("calls") for line in file.read_text().splitlines()]

    def was_built(self):
        return any(call[0].endswith("/sam") and call[1] == "build" for call in self.calls())

    def overrides(self):
        """The parameters that sam was given, as it reads them."""
        return json.loads((self.record / "parameters").read_text())

    def check_token(self, shown):
        check(TOKEN not in shown, "the token is shown", shown)
        for call in self.calls():
            check(TOKEN not in json.dumps(call), "the token is on a command line or in a tool's environment", call)
        left = list(self.temporary.rglob("*.yaml"))
        check(not left, "the file with the token is left", left)


def stand_in(url):
    """The real template with the tables as its only resources. See the head of this file."""
    text = (TOP / "template.yaml").read_text()
    before, resources = text.split("\nResources:\n")
    tables = resources.split("  # --- Secrets ---")[0]
    named = re.findall(r"^  (\w+Table):$", tables, re.M)
    outputs = [f"  {table}: {{Value: !Ref {table}}}\n" for table in named]
    literal = {"BaseUrl": f"{url}/api", "SdkDomain": url, "MessageKeyCommand": "aws the-key", "DashboardUrl": "https://the-dashboard"}
    literal |= {"RootSecret": "root", "MessageSecret": "message"}
    outputs += [f"  {name}: {{Value: '{value}'}}\n" for name, value in literal.items()]
    return f"{before}\nResources:\n{tables}\nOutputs:\n{''.join(outputs)}"


def recorder(path, program, folder):
    """A program in place of another: writes down its command line, what of the secrets is in its environment, and the parameters that sam
    gets, and becomes the other."""
    path.write_text(f"""#!{sys.executable}
import json, os, pathlib, sys
folder = pathlib.Path({str(folder)!r})
secrets = {{name: os.environ[name] for name in ["PLIVO_AUTH_TOKEN", "CAPTCHA_KEY"] if name in os.environ}}
with open(folder / "calls", "a") as calls:
    calls.write(json.dumps([*sys.argv, secrets]) + "\\n")
for file in [argument[len("file://"):] for argument in sys.argv if argument.startswith("file://")]:
    (folder / "parameters").write_text(pathlib.Path(file).read_text())
    modes = [oct(os.stat(one).st_mode & 0o777) for one in [file, os.path.dirname(file)]]
    (folder / "modes").write_text(" ".join(modes))
os.execv({str(program)!r}, [{str(program)!r}, *sys.argv[1:]])
""")
    path.chmod(0o755)


# --- The checks.


def the_template_is_read_as_yaml_reads_it(copy):
    class Loader(yaml.SafeLoader):
        """CloudFormation's short forms do not matter here."""

    Loader.add_multi_constructor("!", lambda *_: None)
    document = yaml.load((TOP / "template.yaml").read_text(), Loader)
    namespace = {"__name__": "deploy", "__file__": str(TOP / "deploy")}
    exec(compile((TOP / "deploy").read_text(), "deploy", "exec"), namespace)
    template = namespace["Template"]()
    check(list(template.parameters) == list(document["Parameters"]), "other parameters", list(template.parameters))
    text = lambda value: value if value is None else str(value)
    keys = ["Default", "AllowedPattern", "ConstraintDescription", "MinValue", "MaxValue", "MaxLength"]
    for name, rule in document["Parameters"].items():
        read = template.parameters[name]
        found = [read.default, read.pattern, read.constraint, read.minimum, read.maximum, read.max_length]
        wanted = [text(rule.get(key)) for key in keys]
        check(found == wanted, name, found)
        allowed = rule.get("AllowedValues") and [str(one) for one in rule["AllowedValues"]]
        check(read.allowed == allowed, f"{name}'s allowed values", read.allowed)
        check(read.is_secret == rule.get("NoEcho", False), f"whether {name} is a secret", read.is_secret)
    resources = {name: one["Type"] for name, one in document["Resources"].items()}
    check(template.resources == resources, "other resources", template.resources)
    events = [event for one in document["Resources"].values() for event in one.get("Properties", {}).get("Events", {}).values()]
    routes = [event["Properties"].get("Path", "$default") for event in events if event["Type"] == "HttpApi"]
    check(len(template.paths) + 1 == len(routes) and routes.count("$default") == 1, "other routes", template.paths)
    check(template.conditional == {name for name, one in document["Resources"].items() if "Condition" in one}, "other conditions")
    passed(f"./deploy reads the template's {len(resources)} resources and {len(document['Parameters'])} parameters as YAML has them")


def a_plan_makes_nothing(copy, aws):
    nowhere = {name: value for name, value in copy.environment.items() if not name.startswith("AWS_")}
    shown = copy.run("--plan", environment=nowhere | {"AWS_EC2_METADATA_DISABLED": "true"})
    start = "Cannot read your AWS account, so the plan comes from template.yaml only: no AWS region"
    check(shown.startswith(start), "another start", shown)
    for line in ["  8  AWS::DynamoDB::Table\n", "together", "3.55", "7.99"]:
        check(line in shown, f"no {line}", shown)
    stand_in = (copy.top / "template.yaml").read_text()
    shutil.copy(copy.top / "real.yaml", copy.top / "template.yaml")
    shown = copy.run("--plan", environment=nowhere | {"AWS_EC2_METADATA_DISABLED": "true"})
    copy.write("template.yaml", stand_in)
    for line in ["5  AWS::SecretsManager::Secret (2 conditional)", "70  routes of the API: 33 under two roots each, 3 others"]:
        check(f" {line}" in shown, f"no {line}", shown)
    without_keys = {name: value for name, value in copy.environment.items() if "KEY" not in name}
    shown = copy.run("--plan", environment=without_keys | {"AWS_EC2_METADATA_DISABLED": "true"})
    check("no working AWS credentials" in shown and "aws configure" in shown, "no word about credentials", shown)
    shown = copy.run("--plan")
    check("not there yet" in shown and "account 123456789012, us-east-1" in shown, "another account", shown)
    made = [call for call in copy.calls() if call[1:3] not in (["sts", "get-caller-identity"], ["cloudformation", "describe-stacks"])]
    check(not made and aws.stack() is None and not aws.tables(), "a plan called more", made)
    passed("--plan shows kinds and costs, with credentials and without, and makes nothing")


def what_is_missing_is_named(copy, folder):
    empty = folder / "empty"
    empty.mkdir()
    shown = copy.run(code=1, environment=copy.environment | ANSWERS | {"PATH": str(empty)})
    python = ["pip install cargo-lambda", "pipx install aws-sam-cli", "pipx install awscli"]
    for command in ["https://rustup.rs", "rustup target add", *python]:
        check(command in shown, f"no {command}", shown)
    (empty / "sam").write_text("#!/bin/sh\necho SAM CLI, version 1.9.0\n")
    (empty / "sam").chmod(0o755)
    shown = copy.run("remove", code=1, environment=copy.environment | {"PATH": str(empty)})
    check("SAM 1.160.0 or newer" in shown and "cargo" not in shown, "an old sam, or what removing does not need", shown)
    passed("each missing tool is named with the command that installs it")


def wrong_settings_are_refused_before_the_build(copy):
    good, here = copy.settings, "deploy.env, line 1: "
    for line, why in [
        ("CODE_LENGHT=8", f"{here}there is no setting CODE_LENGHT. Is it CODE_LENGTH?"),
        ("CODE_LENGTH", f"{here}must be NAME=value"),
        ("CODE_LENGTH=11", f"{here}CODE_LENGTH must be a number from 6 to 10"),
        ('APP_NAME="Otpost"', f"{here}APP_NAME must have no quotes around it"),
        ("PASSWORD=maybe", f"{here}PASSWORD must be one of required, optional"),
        ("SMS_COUNTRIES=USA", f"{here}SMS_COUNTRIES must be two capital letters"),
        ("WEBOTP_HOST=" + "a" * 40 + ".example", f"{here}WEBOTP_HOST must be a host name of at most 40"),
        ("ALARM_EMAIL=jane", f"{here}ALARM_EMAIL must be an e-mail address"),
        ("PLIVO_SENDER=", f"{here}PLIVO_SENDER must be a number like"),
        (f"PLIVO_AUTH_TOKEN={TOKEN}", f"{here}PLIVO_AUTH_TOKEN is a secret"),
    ]:
        copy.settings = line + "\n"
        shown = copy.run(code=1, **ANSWERS)
        check(why in shown and not copy.calls(), f"{line} is not refused", shown)
    copy.settings = good
    for name, value in [("PLIVO_SENDER", ""), ("ALARM_EMAIL", "jane@"), ("PLIVO_AUTH_TOKEN", "short")]:
        shown = copy.run(code=1, **ANSWERS | {name: value})
        check(f"environment: {name} must be" in shown and not copy.calls(), f"{name}={value} is not refused", shown)
    shown = copy.run("--settings", "/nowhere", code=1)
    check("/nowhere: No such file" in shown, "no word about the file", shown)
    shown = copy.run("remove", "--profile", "another", "--confirm", STACK, code=1)
    check("AWS_ACCESS_KEY_ID" in shown and not copy.calls(), "a profile that has no effect is not refused", shown)
    for arguments in [["remove", "--plan"], ["--with-data"], ["--confirm", STACK], ["remove", "--yes"], ["install"]]:
        copy.run(*arguments, code=2)
    shown = copy.run("plan", code=2)
    check("did you mean --plan?" in shown, "no hint", shown)
    passed("wrong settings and arguments are refused at once, with the line and what would be right")


def without_a_terminal_what_is_missing_is_refused(copy):
    shown = copy.run(code=1, PLIVO_SENDER=SENDER)
    check("no terminal: set PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN in the environment" in shown, "another refusal", shown)
    check(not copy.was_built(), "it was built", copy.calls())
    passed("without a terminal, answers come from the environment, and what is missing is named before the build")


def at_a_terminal_four_things_are_asked(copy, aws, starts):
    phone = "+14155550100"
    shown = copy.talk(
        ("Plivo's auth id", "ma"),
        ("Invalid: must be 20 capital letters and digits", AUTH_ID),
        ("Plivo's auth token", TOKEN),
        ("Sender", SENDER),
        ("E-mail address for alarms", "jane@example"),
        ("an e-mail address", "jane@example.com"),
        ("Send a test code", phone),
    )
    needed = ["What an app needs:", "/api", "initApp('http://127.0.0.1", "aws the-key", "https://the-dashboard", f"--stack {STACK}"]
    for part in needed:
        check(part in shown, f"no {part}", shown)
    check("Alarms go to jane@example.com once" in shown, "no word about the link", shown)
    check(starts == [("/api/users/register", {"phoneNumber": phone})] and "Accepted:" in shown, "no test code", starts)
    check((copy.record / "modes").read_text() == "0o600 0o700", "others can read the file", (copy.record / "modes").read_text())
    values = aws.parameters()
    check((values["PlivoSender"], values["AlarmEmail"]) == (SENDER, "jane@example.com"), "other answers", values)
    check(copy.overrides()["PlivoAuthToken"] == TOKEN, "another token")
    commands = [call[1:3] for call in copy.calls() if call[0].endswith("/sam")]
    check([command[0] for command in commands] == ["--version", "build", "deploy"], "other commands", commands)
    passed("a terminal is asked four things, wrong answers again; a test code is sent; the token is on no command line and in no output")


def an_update_asks_and_changes_nothing(copy, aws):
    before = aws.stack()
    shown = copy.run()
    check("Updating the stack" in shown and "No changes to deploy" in shown, "changes, or a failure", shown)
    check("(deployed → new):\n  none\n" in shown, "changed settings", shown)
    sent = copy.overrides()
    check(not {"PlivoAuthId", "PlivoAuthToken", "PlivoSender", "AlarmEmail"} & set(sent), "an answer was sent again", sent)
    check(aws.stack()["Parameters"] == before["Parameters"], "other parameters", aws.stack()["Parameters"])
    kept = ("Enter keeps", "")
    shown = copy.talk(kept, kept, kept, kept, ("Send a test code", "+1"))
    check("Enter keeps jane@example.com" in shown and "Enter keeps what is deployed" in shown, "not what is deployed", shown)
    check("Not sent: 400" in shown and "phone_invalid" in shown and "docs/errors.md" in shown, "no reason", shown)
    check(aws.stack()["Parameters"] == before["Parameters"], "other parameters", aws.stack()["Parameters"])
    passed("a second deployment keeps what was answered, asks for nothing without a terminal, and changes nothing")


def own_texts_are_checked_before_the_build(copy, folder):
    # A cargo that has built otpost, in the repository, and runs it in the copy.
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--package", "otpost"], cwd=TOP, check=True)
    programs = folder / "cargo"
    programs.mkdir()
    (programs / "cargo").write_text(f"""#!/bin/sh
[ "$1 $2 $3 $4 $5 $6" = "run --quiet --locked --package otpost --" ] || exit 1
shift 6
echo "$@" > {copy.record / "otpost"}
exec {stack.TARGET / "debug" / "otpost"} "$@"
""")
    (programs / "cargo").chmod(0o755)
    environment = copy.environment | {"PATH": f"{programs}:{copy.environment['PATH']}"}
    good, texts = copy.settings, (copy.top / "shared" / "texts.json").read_text()
    copy.settings = f"{good}APP_NAME={ODD}\n"
    own = lambda text: copy.write("shared/texts.json", json.dumps({"en": {"login": text}}))
    own("{code} opens {app}: bit.ly/x")
    shown = copy.run("--yes", code=1, environment=environment)
    check("en login: has a link" in shown and not copy.was_built(), "not refused, or built", shown)
    own("{code} opens {app} for {life}.")
    shown = copy.run("--yes", environment=environment)
    check(f"en login: 00000000 opens {ODD} for <1 min." in shown and copy.was_built(), "not shown, or not built", shown)
    copy.settings = good
    copy.write("shared/texts.json", texts)
    copy.run("--yes", environment=environment)
    check(not (copy.record / "otpost").exists() and copy.was_built(), "no texts were checked")
    passed("one's own texts are checked by the settings before the build, and stop it")


def an_ended_deployment_leaves_no_file(copy, folder):
    # A sam whose deployment ends ./deploy, as the machine does when it shuts down, while the file is there.
    ending = folder / "ending"
    ending.mkdir()
    seen = copy.record / "seen"
    (ending / "sam").write_text(f"""#!/bin/sh
case $1 in
  --version) echo SAM CLI, version 1.170.0 ;;
  deploy) ls "$TMPDIR"/*/parameters.yaml > {seen}; kill -TERM $PPID; cat ;;
esac
""")
    (ending / "sam").chmod(0o755)
    path = f"{ending}:{copy.environment['PATH']}"
    copy.run(code=128 + signal.SIGTERM, environment=copy.environment | ANSWERS | {"PATH": path})
    check(len(seen.read_text().splitlines()) == 1, "there was no file", seen.read_text())
    passed("a deployment that is ended leaves no file with the token")


def changed_settings_are_shown_and_confirmed(copy, aws):
    """A stack made with other settings: from another checkout, by sam deploy --guided, or with --settings."""
    good = copy.settings
    copy.settings = f"{good}CODE_LENGTH=8\nALLOWED_ORIGINS=https://a.example\nAPP_ID=10CA1000-0000-0000-0000-0000000000A1\n"
    copy.run("--yes")
    before = aws.stack()["Parameters"]
    copy.settings = good
    kept = ("Enter keeps", "")
    changes = ["CODE_LENGTH: 8 → 6", "ALLOWED_ORIGINS: https://a.example → *"]
    changes += ["APP_ID: 10CA1000-0000-0000-0000-0000000000A1 → (empty)"]
    for shown in [
        copy.run("--plan"),
        copy.run(code=1),
        copy.run(code=1, **ANSWERS),
        copy.talk(kept, kept, kept, kept, ("Type yes", "y"), code=1),
    ]:
        for change in changes:
            check(f"  {change}" in shown, f"no {change}", shown)
        check("APP_NAME" not in shown, "a setting that does not change", shown)
        check(not copy.was_built() and aws.stack()["Parameters"] == before, "it was built or deployed", copy.calls())
    shown = copy.run(code=1)
    check("add --yes" in shown and "PLIVO" not in shown, "no word about --yes, or other changes", shown)
    shown = copy.run(code=1, **ANSWERS)
    for name in ["PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN"]:
        check(f"  {name}: **** → **** (may be the same)" in shown, f"no {name}", shown)
    check(AUTH_ID not in shown, "the auth id is shown", shown)
    copy.talk(kept, kept, kept, kept, ("Type yes", "yes"), ("Send a test code", ""))
    check(aws.parameters()["CodeLength"] == "6", "not deployed", aws.parameters())
    shown = copy.run(**ANSWERS)
    check("PLIVO_AUTH_TOKEN: ****" in shown, "secrets alone are refused, or not shown", shown)
    passed("each setting that an update would change is shown, secrets masked, by --plan as well; it takes a yes or --yes")


def a_captcha_on_a_deployed_stack_needs_its_key_before_the_build(copy, aws):
    good = copy.settings
    copy.settings = f"{good}CAPTCHA_HOSTNAMES=app.example.com\n"
    for why, given in [("set CAPTCHA_KEY in the environment", {}), ("CAPTCHA_KEY must not be empty", {"CAPTCHA_KEY": ""})]:
        shown = copy.run("--yes", code=1, **given)
        check(why in shown and not copy.was_built(), "another refusal, or it was built", shown)
    kept = ("Enter keeps", "")
    shown = copy.talk(kept, kept, kept, kept, ("Secret key at the captcha service (not shown", ""), arguments=["--yes"], code=1)
    check("CAPTCHA_KEY is needed" in shown and not copy.was_built(), "another refusal, or it was built", shown)
    # The token, since no output may have it.
    shown = copy.run("--yes", CAPTCHA_KEY=TOKEN)
    check("CAPTCHA_KEY: (empty) → ****\n" in shown and copy.overrides()["CaptchaKey"] == TOKEN, "another key", shown)
    shown = copy.run()
    check("CaptchaKey" not in copy.overrides() and "new):\n  none\n" in shown, "the key is not kept", shown)
    copy.settings = good
    shown = copy.run("--yes")
    check("CAPTCHA_KEY: **** → (empty)" in shown and copy.overrides()["CaptchaKey"] == "", "the key is kept", shown)
    check(aws.parameters()["CaptchaHostnames"] == "", "other hosts", aws.parameters())
    passed("a captcha on a deployed stack needs its key before the build, keeps it, and loses it with its hosts")


def odd_values_arrive_as_they_are(copy, aws):
    good = copy.settings
    copy.settings = f"{good}\n# an odd name\n  APP_NAME = {ODD}\nALLOWED_ORIGINS=https://a.example,https://b.example\nCODE_LENGTH=8\n"
    copy.run("--yes")
    values = aws.parameters()
    check(values["AppName"] == ODD, "another name", values["AppName"])
    check(values["AllowedOrigins"] == "https://a.example,https://b.example", "other origins", values["AllowedOrigins"])
    check(values["CodeLength"] == "8", "another length", values["CodeLength"])
    for odd in ["!Ref x", "null", "file://x"]:
        copy.settings = f"{good}APP_NAME={odd}\n"
        copy.run("--yes")
        check(aws.parameters()["AppName"] == odd, f"not {odd}", aws.parameters()["AppName"])
    copy.settings = good
    copy.run("--yes")
    values = aws.parameters()
    check((values["AppName"], values["CodeLength"]) == ("Otpost", "6"), "not the defaults", values)
    check(values["AlarmEmail"] == "jane@example.com", "another address", values)
    passed("spaces, quotes, commas, $ and YAML's words arrive as they are; a removed setting returns to its default")


def a_plan_compares_with_what_is_deployed(copy):
    shown = copy.run("--plan")
    check("An update makes: nothing" in shown and "An update deletes: nothing" in shown, "a difference", shown)
    text = (copy.top / "template.yaml").read_text()
    copy.write("template.yaml", text.replace("  CountersTable:\n", "  TotalsTable:\n"))
    shown = copy.run("--plan")
    check("An update makes: TotalsTable" in shown and "An update deletes: CountersTable" in shown, "another difference", shown)
    copy.write("template.yaml", text)
    passed("--plan says which resources an update would make and delete")


def the_users_outlive_the_stack(copy, aws):
    users = aws.users_table()
    for shown in [
        copy.run("remove", code=1),
        copy.run("remove", "--confirm", "another", code=1),
        copy.talk(("Type the stack's name", "yes"), arguments=["remove"], code=1),
    ]:
        check("nothing is deleted" in shown and aws.stack(), "it was deleted", shown)
    shown = copy.run("remove", "--confirm", STACK)
    check(aws.stack() is None, "the stack is still there", aws.stack())
    check(users in aws.tables(), "the users are gone", aws.tables())
    check(aws.secret_names() == ["message", "root"], "other secrets", aws.secret_names())
    check(f"delete-table --table-name {users}" in shown and "--secret-id root" in shown, "no word about what is kept", shown)
    check(not any("delete-table" in call or "delete-secret" in call for call in copy.calls()), "data was deleted", copy.calls())
    shown = copy.run("remove", "--confirm", STACK, code=1)
    check("there is no stack" in shown, "another refusal", shown)
    passed("remove deletes the stack after its name was typed, keeps users and keys, and says how to delete them")


def with_data_everything_goes(copy, aws):
    copy.run(**ANSWERS)
    users = aws.users_table()
    aws.dynamodb.update_table(TableName=users, DeletionProtectionEnabled=True)
    shown = copy.run("remove", "--with-data", "--confirm", STACK)
    check("ALL USERS" in shown and users in shown, "no warning", shown)
    check(aws.stack() is None and users not in aws.tables() and aws.secret_names() == [], "something is left", aws.secret_names())
    passed("remove --with-data deletes the users and their keys as well")


def a_guided_deployment_takes_enter_for_every_default(copy):
    names = re.findall(r"^  (\w+):$", (copy.top / "real.yaml").read_text().split("\nRules:")[0], re.M)
    answers = {"PlivoAuthId": AUTH_ID, "PlivoAuthToken": TOKEN, "PlivoSender": SENDER, "CaptchaKey": "none"}
    # What is not echoed has no default, and its question ends when sam is ready to read.
    hidden = {"PlivoAuthId", "PlivoAuthToken", "CaptchaKey"}
    question = lambda name: f"Parameter {name}: " if name in hidden else f"Parameter {name} ["
    parameters = [(question(name), answers.get(name, "")) for name in names]
    before = [("Stack Name", "guided"), ("AWS Region", "")]
    after = ["Confirm changes", "Allow SAM CLI IAM role creation", "Disable rollback", "Save arguments"]
    after += ["SAM configuration file", "SAM configuration environment"]
    # Moto could not make the rest.
    last = ("Deploy this changeset", "n")
    command = ["env", f"AWS_DEFAULT_REGION={REGION}", "sam", "deploy", "--guided", "--template-file", "real.yaml"]
    shown = copy.talk(*before, *parameters, *[(asked, "") for asked in after], last, command=command)
    saved = (copy.top / "samconfig.toml").read_text()
    check("Saved arguments" in shown and 'PlivoSender=\\"+14155550199\\"' in saved and TOKEN not in saved, "other arguments", saved)
    count = len(before) + len(parameters) + len(after)
    passed(f"sam deploy --guided: Enter is an answer to each of {count} questions but for what has no default")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
    print("check: all passed")

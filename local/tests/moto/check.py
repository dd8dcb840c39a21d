"""Whole flows through the function binaries with AWS's services on moto; see `run` beside this.

Moto differs from DynamoDB in the following, which is therefore not checked here: it ignores the client tokens of transactions, so a
transaction that is sent twice is carried out twice; it reports a constant capacity; it never reports a conflict and never expires items."""

import contextlib
import json
import re
import subprocess
import sys
import time
import uuid

import boto3
import stack
from stack import TARGET, TOP, Client, Failed, Plivo, check

REGION = "us-east-1"
TABLES = ["users", "phones", "sessions", "controls", "messages", "counters", "decisions", "consents"]
EXPIRING = ["phones", "sessions", "messages", "counters", "decisions"]
ROOT_KEY = "a-root-key-for-moto-0123456789abcdef0123456789"
SENDER = "+14155550199"


def main(moto_server):
    stack.build()
    subprocess.run(["cargo", "build", "--locked", "--bin", "otpost"], cwd=TOP, check=True)
    with stack.stack() as url, moto(moto_server) as endpoint:
        aws = Aws(endpoint)
        config = stack.call(f"{url}/_local/config").ok()
        aws.make_tables()
        aws.make_secrets(config)
        beside_stack = stack.environment(url)
        with stack.watch(aws.environment(beside_stack, endpoint)) as port:
            functions, plivo = f"http://127.0.0.1:{port}", Plivo(url)
            client = Client(f"{functions}/api", plivo, config["messageKey"])
            users = register(client)
            send_by_http(client, plivo)
            events = Events(functions, aws, plivo)
            events.direct()
            events.notification()
            events.bus()
            events.scheduler()
            events.queue()
            events.fifo_queue(client)
            log_in(client, plivo, users)
            check_rows(aws, users)
            operate(aws, users)


def passed(what):
    print(f"ok      {what}")


# --- moto.


@contextlib.contextmanager
def moto(program):
    port = stack.free_port()
    with stack.process("moto", [program, "-H", "127.0.0.1", "-p", port]) as (running, _):
        stack.wait_for(lambda: stack.listens(port), running, "moto")
        yield f"http://127.0.0.1:{port}"


class Aws:
    """AWS's services on moto, with the resources of the template."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.dynamodb, self.secrets, self.sqs = map(self.client, ["dynamodb", "secretsmanager", "sqs"])
        self.queues = {name: self.make_queue(name) for name in ["messages", "dead-letters"]}
        self.queues |= {name: self.make_queue(name) for name in ["messages.fifo", "dead-letters.fifo"]}

    def client(self, service):
        key = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, **key)

    def make_queue(self, name):
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def make_tables(self):
        for name in TABLES:
            self.dynamodb.create_table(
                TableName=name,
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        for name in EXPIRING:
            expiry = {"Enabled": True, "AttributeName": "expires_at"}
            self.dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)

    def make_secrets(self, config):
        plivo = {"authId": config["plivoAuthId"], "authToken": config["plivoAuthToken"]}
        values = {"plivo": json.dumps(plivo), "root": ROOT_KEY, "message": config["messageKey"]}
        for name, value in values.items():
            self.secrets.create_secret(Name=name, SecretString=value)

    def environment(self, beside_stack, address):
        """The functions' environment: the one beside the stack, but with all of AWS at this address."""
        kept = {name: value for name, value in beside_stack.items() if not name.startswith("AWS_ENDPOINT_URL")}
        return kept | {
            "AWS_ENDPOINT_URL": address,
            "DEAD_LETTER_QUEUE": self.queues["dead-letters"],
            "DEAD_LETTER_FIFO_QUEUE": self.queues["dead-letters.fifo"],
        }

    def operator(self, *arguments, stack="otpost", code=0):
        """Runs `otpost` on the stack, and returns what it printed. The environment names no table."""
        key = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": REGION}
        options = {"env": key, "capture_output": True, "text": True}
        done = subprocess.run([TARGET / "debug" / "otpost", "--stack", stack, *arguments], **options)
        check(done.returncode == code, "otpost", done.stdout + done.stderr)
        return done.stdout + done.stderr

    def rows(self, table):
        """All items, by their ids, as plain values."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return {item["id"]["S"]: item for page in pages for item in page["Items"]}

    def put(self, queue, body, **more):
        return self.sqs.send_message(QueueUrl=self.queues[queue], MessageBody=body, **more)["MessageId"]

    def receive(self, queue):
        return self.sqs.receive_message(
            QueueUrl=self.queues[queue],
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])


# --- Users.


def register(client):
    """The users by their phones: one for each kind of login, and one who tries to register again."""
    users = {phone: client.register(phone) for phone in ["+14155550180", "+14155550181", "+14155550182"]}
    passed("both steps of a registration")

    other = "+14155550183"
    challenge = client.start(other).ok()["transactionId"]
    refused = client.finish(other, challenge, email=stack.email("+14155550180"))
    check(refused.reason == "user_exists", "a taken e-mail address", refused)
    passed("a taken e-mail address is refused, to who has proven the phone")
    return users


def log_in(client, plivo, users):
    by_code, by_password, again = users
    for phone in users:
        client.wait_for_next_code(phone)

    challenge = client.start(again).ok()["transactionId"]
    refused = client.finish(again, challenge, email="another@example.com")
    check(refused.reason == "user_exists", "a taken phone", refused)
    passed("a taken phone is refused, to who has proven it")

    challenge = client.login(by_code).ok()["transactionId"]
    user = client.enter(challenge, plivo.code(by_code)).ok()
    check(user["objectId"] == users[by_code]["objectId"], "another user", user)
    passed("login by code")
    check_session(client, user)

    before = len(plivo.messages(by_password))
    refused = client.login_with_password(by_password, "correct horse battery")
    check(refused.reason == "login_rejected", "a wrong password", refused)
    check(len(plivo.messages(by_password)) == before, "a code went out for a wrong password")
    challenge = client.login_with_password(by_password).ok()["transactionId"]
    code = plivo.code(by_password)
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    refused = client.enter(challenge, wrong)
    check(refused.reason == "code_rejected", "a wrong code", refused)
    user = client.enter(challenge, code).ok()
    check(user["objectId"] == users[by_password]["objectId"], "another user", user)
    refused = client.enter(challenge, code)
    check(refused.reason == "code_rejected", "a used code", refused)
    passed("login by password and code; a wrong password, a wrong code and a used code are refused")
    check_session(client, user)


def check_session(client, user):
    token, own = user["user-token"], user["objectId"]
    check(client.is_valid(token) is True, "the new session is not valid")
    profile = client.profile(own, token).ok()
    check((profile["objectId"], profile["name"]) == (own, "Someone"), "another profile", profile)
    refused = client.profile(str(uuid.uuid4()).upper(), token)
    check(refused.reason == "not_own", "another user's profile", refused)
    client.logout(token).ok()
    check(client.is_valid(token) is False, "the session did not end")
    refused = client.profile(own, token)
    check(refused.reason == "session_invalid", "the profile after logout", refused)
    passed("its session: valid, own profile, logout")


def check_rows(aws, users):
    """Checks what is in the tables at the end."""
    rows = aws.rows("users")
    owners = {name: {row["user"]["S"] for id, row in rows.items() if id.startswith(name)} for name in ["phone#", "identity#"]}
    ids = {user["objectId"] for user in users.values()}
    check({id for id in rows if id.startswith("user#")} == {f"user#{id}" for id in ids}, "other users", list(rows))
    check(owners == {"phone#": ids, "identity#": ids}, "other phones or identities", owners)
    check("root_key" in rows and len(rows) == 3 * len(users) + 1, "other rows", list(rows))
    passed(f"the users table has three rows for each of {len(users)} users, one of the root key, and none else")

    count = 0
    for table in TABLES:
        for id, row in aws.rows(table).items():
            plain = re.search(r"41555501\d\d", json.dumps(row)) is not None
            check(plain == id.startswith("user#"), f"a plain phone in {table}, or none in a profile", row)
            count += 1
    passed(f"of {count} rows in all tables only profiles hold a phone")


# --- The operator's commands.

# What CloudFormation says of a stack: outputs that name the tables and the secret, and parameters. (Moto's makes no secrets. The real
# template's outputs: local/tests/it/template.rs.)
STACK = {
    "Parameters": {
        "Budget": {"Type": "String", "Default": "1/2/3"},
        "SmsCountries": {"Type": "String", "Default": ""},
        "TestNumbers": {"Type": "String", "Default": "+14155550123=123456@2099-12-31"},
    },
    "Resources": {"AlarmTopic": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {f"{name.title()}Table": {"Value": name} for name in TABLES} | {"RootSecret": {"Value": "root"}},
}


def operate(aws, users):
    aws.client("cloudformation").create_stack(StackName="otpost", TemplateBody=json.dumps(STACK))
    phone, user = next(iter(users.items()))
    found = aws.operator("user", "find", phone)
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
    check(user["objectId"] in found and re.search(rf"created  {time}$", found, re.M), "another user", found)
    by = ["--by", "Jane", "--why", "a check"]
    check("DISABLED" in aws.operator("user", "disable", phone, *by), "the user is not disabled")
    check("register off" in aws.operator("off", "register", *by), "not switched off")
    check(re.search(rf"{time}: register off, by Jane: a check", aws.operator("kill-switches")), "no time of the switch")
    check(" 3.00 " in aws.operator("max-exposure"), "not the stack's budget", aws.operator("max-exposure"))
    check("0 of them different" in aws.operator("replay", "--config", "BUDGET=5/25/250"), "other decisions by the same rules")
    check_reports(aws, phone, user)
    check("does not exist" in aws.operator("kill-switches", stack="another", code=1), "another stack was found")
    passed("otpost --stack finds tables, the key and the settings of a deployed stack, and no other")


def check_reports(aws, phone, user):
    """The operator's reports and the audit log, as JSON."""
    report = lambda *arguments: json.loads(aws.operator(*arguments, "--json"))
    spent = report("spend")
    day = spent["codes"][0]["windows"][1]
    check(day["budget"] == 2 and 0 < day["spent"] < 2 and day["left"] == round(2 - day["spent"], 6), "other money", spent)
    check(sum(row["messages"] for row in spent["hours"]) > 0, "no messages in the decision log", spent)
    converted = report("conversion", "--phone", phone)
    verified = [row["verified"] for row in converted["prefixes"] if row["digits"] == phone[:-4] and row["kind"] == "register"]
    check(verified and verified[0] > 0, "no verified codes", converted)
    log = report("audit")
    check([number["phone"] for number in log["test_numbers"]] == ["+14155550123"], "other test numbers", log)
    made = [(change["action"], change["target"]) for change in log["changes"]]
    check(made == [("off register", None), ("disable", user["objectId"])], "other changes", log)
    arns = {change["arn"] for change in log["changes"]}
    check(len(arns) == 1 and str(*arns).startswith("arn:aws:sts::123456789012:"), "not the caller's ARN", arns)
    passed("otpost spend, conversion and audit, which names the caller's ARN")


# --- Messages.


def send_by_http(client, plivo):
    to = "+14155550184"
    message = {"phoneNumber": to, "message": "Hello"}
    first, second = client.send(message).ok(), client.send(message).ok()
    check(first["message_uuid"] != second["message_uuid"], "two messages were taken for one", second)
    check(len(plivo.messages(to)) == 2, "not two messages", plivo.messages(to))
    passed("sendMessage without a key: each request is a message")

    to = "+14155550185"
    message, key = {"phoneNumber": to, "message": "Hello"}, {"Idempotency-Key": "order-7"}
    first, second = client.send(message, **key).ok(), client.send(message, **key).ok()
    check(first == second, "another answer to the same key", second)
    refused = client.send({**message, "message": "Good-bye"}, **key)
    check((refused.status, refused.reason) == (422, "idempotency_key_reused"), "another body", refused)
    check(len(plivo.messages(to)) == 1, "not one message", plivo.messages(to))
    passed("sendMessage with Idempotency-Key: the first answer again, one SMS; another body is refused with 422")


class Events:
    """The events of other services, passed to `send-message` as Lambda passes them."""

    def __init__(self, functions, aws, plivo):
        self.functions, self.aws, self.plivo = functions, aws, plivo

    def invoke(self, event):
        """Returns the answer, or the type and the message of a failed invocation."""
        answer = stack.call(f"{self.functions}/2015-03-31/functions/send-message/invocations", "POST", event)
        if answer.status == 200:
            return answer.body
        return answer.body["errorType"], json.loads(answer.body["errorMessage"])

    def once(self, to, event, again):
        """Delivers a message twice and checks that one SMS is sent."""
        first, second = self.invoke(event), self.invoke(again)
        check(first == second, "another answer at the second delivery", (first, second))
        check(len(self.plivo.messages(to)) == 1, "not one message", self.plivo.messages(to))
        return first

    def direct(self):
        to = "+14155550186"
        message = {"phoneNumber": to, "message": "Hello", "idempotencyKey": "direct"}
        accepted = self.once(to, message, message)
        check(list(accepted) == ["message", "message_uuid", "api_id"], "not Plivo's answer", accepted)
        kind, body = self.invoke({"phoneNumber": SENDER, "message": "Hello"})
        check((kind, body["errorData"]["reason"]) == ("message_rejected",) * 2, "Plivo's refusal", body)
        kind, _ = self.invoke({"something": "else"})
        check(kind == "unknown_event", "an event of no known kind", kind)
        passed("direct invocation twice: one SMS; refusals are failed invocations with their reason")

    def notification(self):
        to = "+14155550187"
        message = {"phoneNumber": to, "message": "Hello"}
        topic = f"arn:aws:sns:{REGION}:123456789012:messages"
        notified = {"Type": "Notification", "MessageId": str(uuid.uuid4()), "TopicArn": topic, "Subject": None}
        notified |= {"Message": json.dumps(message), "Timestamp": "2026-01-01T00:00:00.000Z", "MessageAttributes": {}}
        record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": f"{topic}:1", "Sns": notified}
        self.once(to, {"Records": [record]}, {"Records": [record]})
        passed("a notification of SNS twice: one SMS")

    def bus(self):
        to = "+14155550188"
        event = self.bus_event("otpost", str(uuid.uuid4()), [], to)
        self.once(to, event, event)
        passed("an event of EventBridge twice: one SMS")

    def scheduler(self):
        to = "+14155550189"
        schedule = [f"arn:aws:scheduler:{REGION}:123456789012:schedule/default/hello"]
        # Each attempt of Scheduler has an id of its own.
        attempts = [self.bus_event("aws.scheduler", str(uuid.uuid4()), schedule, to) for _ in range(2)]
        self.once(to, *attempts)
        passed("two attempts of Scheduler: one SMS")

    def bus_event(self, source, id, resources, to):
        detail = {"phoneNumber": to, "message": "Hello"}
        about = {"version": "0", "id": id, "detail-type": "SendMessage", "source": source, "account": "123456789012"}
        return about | {"time": "2026-01-01T00:00:00Z", "region": REGION, "resources": resources, "detail": detail}

    # Queues.

    def deliver(self, queue):
        """Does what Lambda's event source mapping does with one batch: receives it, invokes the function, and deletes the messages that
        succeeded. Returns the event, and the bodies that must be delivered again."""
        messages = self.aws.receive(queue)
        arn = f"arn:aws:sqs:{REGION}:123456789012:{queue}"
        event = {"Records": [record(message, arn) for message in messages]}
        answer = self.invoke(event)
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        check(failed <= {message["MessageId"] for message in messages}, "ids that were not in the batch", failed)
        address = self.aws.queues[queue]
        for message in messages:
            handle = {"QueueUrl": address, "ReceiptHandle": message["ReceiptHandle"]}
            if message["MessageId"] in failed:
                # The mapping waits for the queue's visibility timeout instead.
                self.aws.sqs.change_message_visibility(**handle, VisibilityTimeout=0)
            else:
                self.aws.sqs.delete_message(**handle)
        return event, [message["Body"] for message in messages if message["MessageId"] in failed]

    def check_dead_letters(self, queue, expected):
        letters = {letter["Body"]: letter for letter in self.aws.receive(queue)}
        reasons = {body: letter["MessageAttributes"]["reason"]["StringValue"] for body, letter in letters.items()}
        check(reasons == expected, f"other messages in {queue}", reasons)
        return letters

    def check_empty(self, queue):
        left = self.aws.receive(queue)
        check(not left, f"messages are left in {queue}", left)

    def queue(self):
        good, bad = ["+14155550190", "+14155550191"], {"poison": "not_json"}
        bad[json.dumps({"message": "Hello"})] = "missing_field"
        bad[json.dumps({"phoneNumber": SENDER, "message": "Hello"})] = "message_rejected"
        bodies = [json.dumps({"phoneNumber": to, "message": "Hello"}) for to in good]
        for body in [bodies[0], *bad, bodies[1]]:
            self.aws.put("messages", body)
        event, again = self.deliver("messages")
        check(len(event["Records"]) == 5 and not again, "messages come again", again)
        self.check_empty("messages")
        letters = self.check_dead_letters("dead-letters", bad)
        arns = {letter["MessageAttributes"]["source"]["StringValue"] for letter in letters.values()}
        check(arns == {f"arn:aws:sqs:{REGION}:123456789012:messages"}, "another source", arns)
        passed("a batch of a standard queue: the good ones are sent, the others are dead letters with their reasons")

        # Delivered again, as SQS may.
        check(self.invoke(event) == {"batchItemFailures": []}, "messages come again", again)
        for to in good:
            check(len(self.plivo.messages(to)) == 1, "not one message", self.plivo.messages(to))
        passed("the same batch delivered twice: one SMS each")

    def fifo_queue(self, client):
        to = {"a": "+14155550192", "b": "+14155550193"}
        first = {"phoneNumber": to["a"], "message": "1", "idempotencyKey": "busy"}
        with self.in_flight(client, first):
            bodies = [("a", json.dumps(first)), ("b", "poison"), ("a", self.text(to["a"], 2))]
            bodies += [("b", self.text(to["b"], 2)), ("a", self.text(to["a"], 3))]
            for group, body in bodies:
                id = str(uuid.uuid4())
                self.aws.put("messages.fifo", body, MessageGroupId=group, MessageDeduplicationId=id)
            again = self.deliver_all("messages.fifo", len(bodies))
            check(again == [body for group, body in bodies if group == "a"], "other messages come again", again)
            check(self.texts(to["b"]) == ["2"], "the group behind the poison", self.texts(to["b"]))
            check(self.texts(to["a"]) == ["1"], "the group behind a message in flight", self.texts(to["a"]))
        letters = self.check_dead_letters("dead-letters.fifo", {"poison": "not_json"})
        check(letters["poison"]["Attributes"]["MessageGroupId"] == "b", "another group", letters)
        passed("a batch of a FIFO queue: a poisoned message blocks nobody, one in flight holds its own group only")

        check(self.deliver_all("messages.fifo", 3) == [], "messages come again")
        check(self.texts(to["a"]) == ["1", "2", "3"], "another order", self.texts(to["a"]))
        self.check_empty("messages.fifo")
        passed("the group that was held comes again, is sent in its order, and once")

    def deliver_all(self, queue, count):
        """Delivers this many messages. Returns the bodies that must be delivered again, in order."""
        event, again = self.deliver(queue)
        check(len(event["Records"]) == count, "another batch", event)
        return again

    def texts(self, to):
        """The texts that arrived at a phone, oldest first."""
        return [message["text"] for message in reversed(self.plivo.messages(to))]

    def text(self, to, number):
        return json.dumps({"phoneNumber": to, "message": str(number)})

    @contextlib.contextmanager
    def in_flight(self, client, message):
        """A message that was sent, but whose item says within the block that it is still being sent."""
        before = self.aws.rows("messages")
        client.send(message).ok()
        # Beside it stands what Plivo reports.
        (id,) = (id for id in self.aws.rows("messages").keys() - before.keys() if not id.startswith("report#"))
        row = self.aws.rows("messages")[id]
        lease = {"N": str(int((time.time() + 600) * 1000))}
        self.aws.dynamodb.put_item(TableName="messages", Item=row | {"state": {"S": "sending"}, "lease": lease})
        yield
        self.aws.dynamodb.put_item(TableName="messages", Item=row)


def record(message, arn):
    """A message of a queue in the shape in which Lambda passes it to a function (AWS: "Using Lambda with Amazon SQS")."""
    attributes = {
        name: {
            "stringValue": value["StringValue"],
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": value["DataType"],
        }
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }


if __name__ == "__main__":
    started = time.monotonic()
    try:
        main(sys.argv[1])
    except Failed as failure:
        sys.exit(f"run: {failure}")
    print(f"run: all passed ({time.monotonic() - started:.0f} s)")

"""The start of a login by phone as a Lambda function in Python, for the comparison of cold starts (bench/peers/install).

It does what functions/login-phone does, in the fewest lines that do it, with the same environment variables: two secrets, the keyed
hashes, one read of all that is known, the client's count, the challenge and the reservation; then the decision log, the prefix's count and
the SMS. What it leaves out makes it faster: no phone library, no limits, one budget, no retries, no check of
what Plivo has been doing; the phone may be anybody's. Calls follow each other, as is usual with boto3: threads, each with a connection
of its own, took twice as long beside APIs that answer at once.

PLIVO=sdk sends with Plivo's own SDK, PLIVO=urllib3 with what boto3 brings.
"""

import base64
import hmac
import json
import os
import secrets
import time
import uuid

import boto3

ENV = os.environ
DYNAMODB = boto3.client("dynamodb", region_name=ENV["AWS_REGION"])
SECRETS = boto3.client("secretsmanager", region_name=ENV["AWS_REGION"])
LIFE = 300
HOUR = 60 * 60
DAY = 24 * HOUR
# Millionths of a dollar: what a message costs, and what a shard of the budgets may spend in an hour.
PRICE = 7_700
BUDGET = 1_250_000
SHARDS = [f"shard#{number}" for number in range(4)]
SPENT = "all_spent_hour"


def fetch(name):
    return SECRETS.get_secret_value(SecretId=ENV[name])["SecretString"]


ROOT_KEY, CREDENTIALS = fetch("ROOT_SECRET"), json.loads(fetch("PLIVO_SECRET"))


def sign(key, text):
    return hmac.digest(key, text, "sha256")


def derive(use):
    """HKDF-SHA-256 (RFC 5869), one block."""
    return sign(sign(b"otpost/1", ROOT_KEY.encode()), use + b"\x01")


PHONE_KEY, PREFIX_KEY, CLIENT_KEY, CODE_KEY = map(derive, (b"phone", b"prefix", b"client", b"code"))

if ENV["PLIVO"] == "sdk":
    import plivo
    import plivo.rest.client

    # The SDK has no option for another address.
    plivo.rest.client.PLIVO_API_BASE_URI = ENV["PLIVO_API_URL"] + "/v1/Account"
    CLIENT = plivo.RestClient(CREDENTIALS["authId"], CREDENTIALS["authToken"])
    # The SDK prepares its requests itself, past the variable that `requests` reads.
    CLIENT.session.verify = ENV.get("AWS_CA_BUNDLE") or True

    def send(to, text):
        CLIENT.messages.create(src=ENV["PLIVO_SENDER"], dst=to, text=text, log="number_only")

else:
    import ssl

    import urllib3

    HTTP = urllib3.PoolManager(ssl_context=ssl.create_default_context(cafile=ENV.get("AWS_CA_BUNDLE")))

    def send(to, text):
        account = CREDENTIALS["authId"]
        answer = HTTP.request(
            "POST",
            f"{ENV['PLIVO_API_URL']}/v1/Account/{account}/Message/",
            headers=urllib3.make_headers(basic_auth=f"{account}:{CREDENTIALS['authToken']}"),
            json={"src": ENV["PLIVO_SENDER"], "dst": to, "text": text, "type": "sms", "log": "number_only"},
        )
        if answer.status >= 300:
            raise RuntimeError(f"Plivo answered {answer.status}")


def short(hashed):
    return hashed[:8].hex()


def number(value):
    return {"N": str(value)}


def after(now, seconds):
    return number(now // 1000 + seconds)


def version():
    return {"S": str(uuid.uuid4())}


def read(phone, owner, counters):
    """What is known, by id: the phone and its user as they are, the rest may be a moment late."""

    def keys(*ids):
        return [{"id": {"S": id}} for id in ids]

    asked = {
        ENV["PHONES_TABLE"]: {"Keys": keys(phone), "ConsistentRead": True},
        ENV["USERS_TABLE"]: {"Keys": keys(owner), "ConsistentRead": True},
        ENV["COUNTERS_TABLE"]: {"Keys": keys(*counters)},
        ENV["CONTROLS_TABLE"]: {"Keys": keys("circuit_breaker", "kill_switches")},
    }
    found = DYNAMODB.batch_get_item(RequestItems=asked)["Responses"]
    return {item["id"]["S"]: item for items in found.values() for item in items}


def write(table, id, seen, mark, changed):
    """Writes a whole item, on condition that nobody wrote in between: its `mark` is new with each write."""
    condition = {"ConditionExpression": "attribute_not_exists(id)"}
    if seen:
        condition = {
            "ConditionExpression": "#mark = :seen",
            "ExpressionAttributeNames": {"#mark": mark},
            "ExpressionAttributeValues": {":seen": seen[mark]},
        }
    DYNAMODB.put_item(TableName=ENV[table], Item=seen | changed | {"id": {"S": id}}, **condition)


def count(id, counter, name, amount, now, most=2**53):
    """Adds to a count of a counter, up to `most`. Only the first in a new hour writes the whole item."""
    hour = number(now // 1000 // HOUR)
    if counter.get("hour") != hour:
        version = number(int(counter["version"]["N"]) + 1 if counter else 1)
        changed = {"version": version, "hour": hour, name: number(amount), "expires_at": after(now, 40 * DAY)}
        write("COUNTERS_TABLE", id, counter, "version", changed)
        return
    values = {":one": number(1), ":hour": hour, ":amount": number(amount), ":room": number(most - amount)}
    DYNAMODB.update_item(
        TableName=ENV["COUNTERS_TABLE"],
        Key={"id": {"S": id}},
        UpdateExpression="ADD #version :one, #name :amount",
        ConditionExpression="#hour = :hour AND (attribute_not_exists(#name) OR #name <= :room)",
        ExpressionAttributeNames={"#version": "version", "#hour": "hour", "#name": name},
        ExpressionAttributeValues=values,
    )


def count_client(client, record, now):
    """Counts the start for the client."""
    starts = {"L": [*record.get("starts", {"L": []})["L"], number(now)]}
    changed = {"version": version(), "starts": starts, "expires_at": after(now, DAY)}
    write("COUNTERS_TABLE", client, record, "version", changed)


def challenge(id, code, user, now):
    """The challenge, with a keyed hash of the code."""
    issued = {
        "id": {"S": id},
        "code": {"S": sign(CODE_KEY, f"{id} {code}".encode()).hex()},
        "expires": number(now + LIFE * 1000),
        "max_attempts": number(5),
        "attempts": {"M": {}},
    }
    return {"M": issued | ({"user": user} if user else {})}


def issue(key, record, login, now):
    """Counts the start and stores the challenge."""
    counts = record.get("without_password", {"M": {}})["M"]
    starts = {"L": [*counts.get("starts", {"L": []})["L"], number(now)]}
    changed = {
        "version": version(),
        "without_password": {"M": counts | {"starts": starts}},
        "challenges": {"M": {"login": login}},
        "expires_at": after(now, LIFE + DAY),
    }
    write("PHONES_TABLE", key, record, "version", changed)


def log_decision(phone, prefix, client, spent, now):
    """Writes the decision log."""
    item = {
        "id": {"S": str(uuid.uuid4())},
        "phone": {"S": phone},
        "prefix": {"S": prefix},
        "client": {"S": client},
        "inputs": {"M": {"at": number(now), "flow": {"S": "login"}, "spent": number(spent)}},
        "decision": {"M": {"outcome": {"S": "send"}}},
        "sent": {"BOOL": True},
        "expires_at": after(now, 30 * DAY),
    }
    DYNAMODB.put_item(TableName=ENV["DECISIONS_TABLE"], Item=item)


def handle(event, context):
    body = event["body"]
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    phone = json.loads(body)["phoneNumber"]
    hashed = sign(PHONE_KEY, phone.encode())
    key, owner = short(hashed), "phone#" + base64.urlsafe_b64encode(hashed).decode().rstrip("=")
    prefix = short(sign(PREFIX_KEY, phone[:-4].encode()))
    client = short(sign(CLIENT_KEY, f"{event['requestContext']['http']['sourceIp']}/32".encode()))
    prefix_id, client_id = f"prefix#{prefix}", f"client#{client}"
    known = read(key, owner, [prefix_id, client_id, *SHARDS])
    now, id, code = int(time.time() * 1000), str(uuid.uuid4()).upper(), f"{secrets.randbelow(10**6):06}"
    count_client(client_id, known.get(client_id, {}), now)
    spent = {shard: int(known.get(shard, {}).get(SPENT, number(0))["N"]) for shard in SHARDS}
    shard = min(spent, key=spent.get)
    issue(key, known.get(key, {}), challenge(id, code, known.get(owner, {}).get("user"), now), now)
    count(shard, known.get(shard, {}), SPENT, PRICE, now, BUDGET)
    # login-phone answers here and does the rest afterwards. With Lambda's runtime for Python an answer ends the request, so the rest comes
    # before it.
    log_decision(key, prefix, client, sum(spent.values()), now)
    count(prefix_id, known.get(prefix_id, {}), "login_sends", 1, now)
    send(phone, f"{code} is your {ENV.get('APP_NAME', 'Otpost')} code to log in. Valid 5 min. Do not share it.")
    answer = json.dumps({"transactionId": id})
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": answer}

"""The start of a login by phone as a Lambda function in Python, for the comparison of cold starts (bench/peers/install).

It does what functions/login-phone does, in the fewest lines that do it, with the same environment variables: two secrets, the keyed
hashes, three reads, one conditional write with the transaction, the SMS. What it leaves out makes it faster: no phone library, no
limits, no check of what Plivo has been doing; the phone may be anybody's. Calls follow each other, as is usual with boto3: threads,
each with a connection of its own, took twice as long beside APIs that answer at once.

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
DAY = 24 * 60 * 60


def fetch(name):
    return SECRETS.get_secret_value(SecretId=ENV[name])["SecretString"]


ROOT_KEY, CREDENTIALS = fetch("ROOT_SECRET"), json.loads(fetch("PLIVO_SECRET"))


def sign(key, text):
    return hmac.digest(key, text, "sha256")


def derive(purpose):
    """HKDF-SHA-256 (RFC 5869), one block."""
    return sign(sign(b"otpost/1", ROOT_KEY.encode()), purpose + b"\x01")


PHONE_KEY, CODE_KEY = derive(b"phone"), derive(b"code")

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


def get(table, key, consistent=True):
    return DYNAMODB.get_item(TableName=ENV[table], Key={"id": {"S": key}}, ConsistentRead=consistent).get("Item")


def number(value):
    return {"N": str(value)}


def transaction(id, code, user, now):
    """The pending login. A keyed hash stands for the code."""
    pending = {
        "id": {"S": id},
        "code": {"S": sign(CODE_KEY, f"{id} {code}".encode()).hex()},
        "expires": number(now + LIFE * 1000),
        "allowance": number(5),
        "tries": {"M": {}},
    }
    return {"M": pending | ({"user": user} if user else {})}


def write(key, record, pending, now):
    """Counts the message and holds the transaction, on condition that nobody wrote in between."""
    sends = record.get("sends", {"L": []})["L"]
    changed = {
        "id": {"S": key},
        "revision": {"S": str(uuid.uuid4())},
        "sends": {"L": [*sends, number(now)]},
        "login": pending,
        "expires_at": number(now // 1000 + LIFE + DAY),
    }
    condition = {"ConditionExpression": "attribute_not_exists(id)"}
    if record:
        seen = {":seen": record["revision"]}
        condition = {"ConditionExpression": "revision = :seen", "ExpressionAttributeValues": seen}
    DYNAMODB.put_item(TableName=ENV["PHONES_TABLE"], Item=record | changed, **condition)


def handle(event, context):
    body = event["body"]
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    phone = json.loads(body)["phoneNumber"]
    hashed = sign(PHONE_KEY, phone.encode())
    key, owner = hashed[:8].hex(), "phone#" + base64.urlsafe_b64encode(hashed).decode().rstrip("=")
    record, login = get("PHONES_TABLE", key), get("USERS_TABLE", owner)
    get("CONTROLS_TABLE", "plivo", consistent=False)
    now, id, code = int(time.time() * 1000), str(uuid.uuid4()).upper(), f"{secrets.randbelow(10**6):06}"
    write(key, record or {}, transaction(id, code, login and login["user"], now), now)
    send(phone, f"{code} is your {ENV.get('APP_NAME', 'Otpost')} code to log in. Valid 5 min. Do not share it.")
    answer = json.dumps({"transactionId": id})
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": answer}

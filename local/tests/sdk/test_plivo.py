"""Drives the simulated Plivo with the official Plivo SDK for Python, and reads with it what the service sent.

OTPOST_URL must have the address of a new local stack; ./run starts one.
"""

import json
import os
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.parse import parse_qsl, quote, urlencode
from urllib.request import Request, urlopen

import plivo
import plivo.rest.client
from plivo.exceptions import AuthenticationError, ResourceNotFoundError, ValidationError
from plivo.utils import signature_v3, validate_v3_signature

URL = os.environ["OTPOST_URL"]
SENDER = "+14155550001"
MEDIA = ["https://media.example.com/menu.png", "https://media.example.com/map.pdf"]
UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

# The SDK has no option for another address.
plivo.rest.client.PLIVO_API_BASE_URI = f"{URL}/v1/Account"
plivo.rest.client.API_VOICE_BASE_URI = f"{URL}/v1/Account"


def ask(path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = Request(URL + path, data, {"Content-Type": "application/json", **headers})
    with urlopen(request) as answer:
        return json.load(answer)


CONFIG = ask("/_local/config")


def client_with(token):
    return plivo.RestClient(CONFIG["plivoAuthId"], token)


def messages_to(number):
    """What arrived at a phone, newest first."""
    return ask(f"/_local/messages?to={quote(number)}")


def delivered(to):
    """The only message that arrived at a phone, once it is delivered, which takes two seconds of the stack's time."""
    ask("/_local/clock", {"advance": 2})
    [message] = messages_to(to)
    return message


# Numbers reserved for fiction.
NUMBERS = (f"+1212555{last:04}" for last in range(100, 200))


def new_number():
    return next(NUMBERS)


class PlivoTest(unittest.TestCase):
    def setUp(self):
        self.client = client_with(CONFIG["plivoAuthToken"])
        self.addCleanup(self.client.session.close)

    def send(self, to, text, **more):
        return self.client.messages.create(src=SENDER, dst=to, text=text, **more).message_uuid[0]

    def assert_fails(self, error, text, call):
        with self.assertRaises(error) as raised:
            call()
        self.assertEqual(str(raised.exception), text)


class Sending(PlivoTest):
    def test_an_sms_is_queued_and_shows_up_in_the_inbox(self):
        to, text = new_number(), "Grüße {aus} Oslo 🦦"
        answer = self.client.messages.create(src=SENDER, dst=to, text=text)
        self.assertEqual(answer.message, "message(s) queued")
        self.assertRegex(answer.api_id, UUID)
        arrived = delivered(to)
        self.assertIsInstance(arrived.pop("created"), int)
        self.assertEqual(
            arrived,
            {"id": answer.message_uuid[0], "from": SENDER, "to": to, "text": text, "type": "sms", "mediaUrls": [], "state": "delivered"},
        )

    def test_an_mms_is_queued_with_its_media(self):
        to = new_number()
        uuid = self.send(to, "The menu", type_="mms", media_urls=MEDIA)
        [arrived] = messages_to(to)
        self.assertEqual((arrived["id"], arrived["type"], arrived["mediaUrls"]), (uuid, "mms", MEDIA))
        media = self.client.messages.get(uuid).listMedia().objects
        self.assertEqual([item["media_url"] for item in media], MEDIA)

    def test_many_numbers_get_a_message_each_and_bad_ones_are_named(self):
        one, other = new_number(), new_number()
        answer = self.client.messages.create(src=SENDER, dst=f"{one}<{other}<123", text="Hello")
        self.assertEqual(answer.message_uuid, [messages_to(one)[0]["id"], messages_to(other)[0]["id"]])
        self.assertEqual(answer.invalid_number, ["123"])


class Reading(PlivoTest):
    def test_a_message_says_who_what_and_what_it_costs(self):
        to = new_number()
        uuid = self.send(to, "a" * 161)
        delivered(to)
        message = self.client.messages.get(uuid)
        expected = {
            "message_uuid": uuid,
            "from_number": SENDER[1:],
            "to_number": to[1:],
            "message_direction": "outbound",
            "message_type": "sms",
            "message_state": "delivered",
            "units": 2,
            "total_rate": "0.00550",
            "total_amount": "0.01100",
            "error_code": "000",
        }
        self.assertEqual({name: getattr(message, name) for name in expected}, expected)
        self.assertRegex(message.api_id, UUID)
        self.assertRegex(message.message_time, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00$")

    def test_the_list_is_newest_first_in_pages_and_can_be_filtered(self):
        to = new_number()
        uuids = [self.send(to, text) for text in ("one", "two", "three")][::-1]
        pages = [self.client.messages.list(to_number=to[1:], limit=2, offset=offset) for offset in (0, 2)]
        self.assertEqual([[message.message_uuid for message in page] for page in pages], [uuids[:2], uuids[2:]])
        self.assertEqual((pages[0].meta["total_count"], pages[1].meta["next"]), (3, None))
        self.assertEqual(list(self.client.messages.list(to_number=to[1:], message_type="mms")), [])

    def test_the_account_is_there(self):
        account = self.client.account.get()
        self.assertEqual((account.auth_id, account.name), (CONFIG["plivoAuthId"], "Otpost simulator"))


class Errors(PlivoTest):
    def test_a_wrong_token(self):
        client = client_with("wrong")
        self.addCleanup(client.session.close)
        self.assert_fails(
            AuthenticationError,
            f"Failed to authenticate while accessing resource at: {URL}/v1/Account/{CONFIG['plivoAuthId']}/Message/",
            lambda: client.messages.create(src=SENDER, dst=new_number(), text="Hello"),
        )

    def test_a_number_that_is_none(self):
        self.assert_fails(ValidationError, "'1111111' is not a valid phone number.", lambda: self.send("1111111", "Hello"))

    def test_a_list_of_numbers_which_the_sdk_sends_as_its_printed_form(self):
        to = new_number()
        self.assert_fails(ValidationError, f"'['{to[1:]}']' is not a valid phone number.", lambda: self.send([to], "Hello"))
        self.assertEqual(messages_to(to), [])

    def test_a_message_without_text(self):
        self.assert_fails(ValidationError, "text parameter not present", lambda: self.send(new_number(), None))

    def test_a_message_that_is_not_there(self):
        uuid = "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46"
        self.assert_fails(ResourceNotFoundError, "not found", lambda: self.client.messages.get(uuid))


class WhatTheServiceSent(PlivoTest):
    def test_a_code_can_be_looked_up_and_plivo_was_asked_not_to_log_its_text(self):
        to = new_number()
        ask("/api/users/register", {"phoneNumber": to})
        message = self.client.messages.get(messages_to(to)[0]["id"])
        self.assertEqual(
            (message.from_number, message.to_number, message.message_type, message.log),
            ("14155550199", to[1:], "sms", "number_only"),
        )

    def test_a_message_of_send_message_can_be_looked_up_by_the_uuid_of_its_answer(self):
        to = new_number()
        body = {"phoneNumber": to, "message": "The menu", "mediaUrls": ",".join(quote(link, safe="") for link in MEDIA)}
        answer = ask("/api/services/Plivo/sendMessage", body, Authorization=f"Bearer {CONFIG['messageKey']}")
        message = self.client.messages.get(answer["message_uuid"][0])
        self.assertEqual((message.from_number, message.to_number, message.message_type), ("14155550199", to[1:], "mms"))
        self.assertEqual([item["media_url"] for item in message.listMedia().objects], MEDIA)


SPEECH = b"<Response><Speak>Your code is 1, 2, 3, 4, 5, 6</Speak></Response>"


class Application(BaseHTTPRequestHandler):
    """Keeps what Plivo tells it, and says what to say in a call."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append((self.path, dict(self.headers), dict(parse_qsl(body, keep_blank_values=True))))
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.end_headers()
        self.wfile.write(SPEECH if self.path == "/answer" else b"")

    def log_message(self, *_):
        pass


class WhatPlivoTells(PlivoTest):
    def setUp(self):
        super().setUp()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
        self.server.received = []
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def accepted(self):
        """Whether the SDK takes each request for Plivo's, by each header."""
        names = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
        return [
            [
                validate_v3_signature("POST", self.url + path, headers["x-plivo-signature-v3-nonce"], CONFIG["plivoAuthToken"], headers[name], params)
                for name in names
            ]
            for path, headers, params in self.server.received
        ]

    def test_reports_of_a_message_are_signed(self):
        to = new_number()
        uuid = self.send(to, "Grüße 🦦", url=f"{self.url}/report/a%20b?of=shop+1&b")
        ask("/_local/clock", {"advance": 2})
        told = [(params["MessageUUID"], params["Status"]) for _, _, params in self.server.received]
        self.assertEqual(told, [(uuid, "queued"), (uuid, "sent"), (uuid, "delivered")])
        self.assertEqual(self.accepted(), [[True, True]] * 3)

    def test_a_forged_report_is_not_accepted(self):
        to = new_number()
        ask("/_local/plivo", {"callbacks": "forged", "to": to, "times": 1})
        self.send(to, "Hello", url=f"{self.url}/report")
        ask("/_local/clock", {"advance": 0})
        self.assertEqual(self.accepted(), [[False, False]])

    def test_a_call_asks_what_to_say_says_it_and_tells_its_end(self):
        to = new_number()
        answer = self.client.calls.create(from_=SENDER, to_=to, answer_url=f"{self.url}/answer", hangup_url=f"{self.url}/hangup")
        self.assertEqual(answer.message, "call fired")
        ask("/_local/clock", {"advance": 2})
        self.assertEqual(messages_to(to)[0]["text"], "Your code is 1, 2, 3, 4, 5, 6")
        ask("/_local/clock", {"advance": 8})
        self.assertEqual([path for path, _, _ in self.server.received], ["/answer", "/hangup"])
        self.assertEqual(self.accepted(), [[True, True]] * 2)
        call = self.client.calls.get(answer.request_uuid)
        self.assertEqual((call.to_number, call.call_duration, call.hangup_cause_code), (to[1:], 8, 4010))


class WhatTheServiceHears(unittest.TestCase):
    """The service's own check of signatures, against those that the SDK computes."""

    def status(self, token, params, nonce="12345678901234567890", header="X-Plivo-Signature-V3", sent=None):
        url = f"{URL}/plivo/inbound"
        text = signature_v3.construct_post_url(url, params).decode()
        signature = signature_v3.get_signature_v3(token.encode(), text, nonce.encode()).decode()
        request = Request(url, urlencode(sent or params).encode(), {header: signature, "X-Plivo-Signature-V3-Nonce": nonce})
        try:
            with urlopen(request) as answer:
                return answer.status
        except HTTPError as error:
            with error:
                return error.code

    def test_only_plivo_is_heard(self):
        message = {"MessageUUID": "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46", "From": "12125550111", "To": "14155550199", "Text": "Grüße & = 🦦", "Type": "sms"}
        token = CONFIG["plivoAuthToken"]
        self.assertEqual(self.status("wrong", message), 401)
        self.assertEqual(self.status(token, message, sent={**message, "Text": "other"}), 401)
        self.assertEqual(self.status(token, message, header="X-Plivo-Signature-V2"), 401)
        for header in ("X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3"):
            self.assertEqual(self.status(token, message, header=header), 200)


if __name__ == "__main__":
    unittest.main()

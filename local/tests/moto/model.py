"""Stands before AWS's services and holds every call against AWS's own models of them, as botocore brings them: the fields and their
types, the content type, and the signature, computed anew. The functions write their requests themselves, and emulators take much
that AWS would refuse."""

import contextlib
import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

SERVICES = {"DynamoDB_20120810": "dynamodb", "secretsmanager": "secretsmanager", "AmazonSQS": "sqs"}


class Calls:
    """What was called, and what was wrong with it."""

    def __init__(self, credentials, region):
        self.seen, self.wrong = set(), []
        self.session = botocore.session.get_session()
        self.models = {}
        self.credentials, self.region = credentials, region
        self.lock = threading.Lock()

    def note(self, headers, body):
        prefix, _, operation = headers["X-Amz-Target"].partition(".")
        service = SERVICES[prefix]
        with self.lock:
            model = self.models.setdefault(service, self.session.get_service_model(service))
            self.seen.add(operation)
            problems = list(self.problems(model, operation, headers, body))
            self.wrong += [f"{service} {operation}: {problem}" for problem in problems]

    def problems(self, model, operation, headers, body):
        shape = model.operation_model(operation).input_shape
        report = ParamValidator().validate(json.loads(body), shape)
        if report.has_errors():
            yield report.generate_report()
        kind = f"application/x-amz-json-{model.metadata['jsonVersion']}"
        if headers["Content-Type"] != kind:
            yield f"content type {headers['Content-Type']} is not {kind}"
        if self.authorization(model.signing_name, headers, body) != headers["Authorization"]:
            yield "the signature is not botocore's"

    def authorization(self, service, headers, body):
        signed = headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        kept = {name: headers[name] for name in signed if name != "host"}
        request = AWSRequest("POST", f"http://{headers['Host']}/", kept, body)
        request.context["timestamp"] = headers["X-Amz-Date"]
        signer = SigV4Auth(self.credentials, service, self.region)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        return (
            f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={';'.join(signed)}, "
            f"Signature={signer.signature(text, request)}"
        )


@contextlib.contextmanager
def before(endpoint, key, secret, region):
    """Answers the address to call instead of the endpoint, and the calls."""
    calls = Calls(Credentials(key, secret), region)

    class Pass(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls.note(self.headers, body)
            behind = http.client.HTTPConnection(endpoint.removeprefix("http://"))
            behind.request("POST", self.path, body, dict(self.headers))
            answer = behind.getresponse()
            content = answer.read()
            behind.close()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pass)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        server.server_close()

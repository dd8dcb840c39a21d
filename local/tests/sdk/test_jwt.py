"""Checks JWTs with PyJWT as docs/back-end.md says, from the public keys alone.

OTPOST_URL must have the address of a new local stack; ./run starts one.
"""

import os
import unittest

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from stack import Client, Plivo, call

URL = os.environ["OTPOST_URL"]
PHONE = "+14155550180"
AUDIENCE = call(f"{URL}/_local/config").ok()["appId"]


class JwtTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        app = Client(f"{URL}/api", Plivo(URL))
        cls.user = app.register(PHONE)
        # Who has just proven the phone may log in at once.
        session = app.enter(app.login(PHONE).ok()["transactionId"], app.plivo.code(PHONE)).ok()
        cls.token = app.call("POST", "/users/token", **{"user-token": session["user-token"]}).ok()["token"]
        discovered = call(f"{URL}/.well-known/openid-configuration").ok()
        cls.issuer, cls.keys = discovered["issuer"], jwt.PyJWKClient(discovered["jwks_uri"])

    def check(self, token, issuer=None, audience=AUDIENCE):
        key = self.keys.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, ["RS256"], issuer=issuer or self.issuer, audience=audience)

    def test_a_jwt_is_of_its_user(self):
        claims = self.check(self.token)
        self.assertEqual((claims["sub"], claims["amr"]), (self.user["objectId"], ["sms"]))

    def test_another_issuer_audience_or_signature_is_refused(self):
        for wrong in [{"issuer": "https://api.example.com"}, {"audience": "another"}]:
            with self.assertRaises(jwt.InvalidTokenError):
                self.check(self.token, **wrong)
        claims, header = jwt.decode(self.token, options={"verify_signature": False}), jwt.get_unverified_header(self.token)
        forged = jwt.encode(claims, generate_private_key(65537, 2048), "RS256", headers={"kid": header["kid"]})
        for token in [forged, jwt.encode(claims, None, "none", headers={"kid": header["kid"]})]:
            with self.assertRaises(jwt.InvalidTokenError):
                self.check(token)


if __name__ == "__main__":
    unittest.main()

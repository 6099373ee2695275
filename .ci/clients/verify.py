"""Verifies the deliveries that catch.cjs recorded with the official Standard
Webhooks library for Python and with the receiver that SuperOffice documents."""

import base64
import hashlib
import hmac
import json
import os
import unittest

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def caught():
    with open(os.environ["DELIVERIES"], encoding="utf-8") as file:
        for case in json.load(file):
            for post in case["posts"]:
                yield case, post["headers"], base64.b64decode(post["body"])


def verifier(secret):
    """A secret without whsec_ is the key itself, as UTF-8."""
    return Webhook(secret if secret.startswith("whsec_") else secret.encode())


class Verify(unittest.TestCase):
    def test_the_official_library_accepts_every_secret_and_nothing_else(self):
        for case, headers, body in caught():
            for secret in case["secrets"]:
                with self.subTest(case["name"], secret=secret):
                    payload = verifier(secret).verify(body, headers)
                    self.assertEqual(payload["EventId"], headers["webhook-id"])
                    with self.assertRaises(WebhookVerificationError):
                        verifier(secret).verify(body + b" ", headers)
            with self.subTest(case["name"], secret="another"):
                with self.assertRaises(WebhookVerificationError):
                    verifier("another").verify(body, headers)

    def test_superoffice_recipe_accepts_the_one_secret(self):
        for case, headers, body in caught():
            with self.subTest(case["name"]):
                own = base64.b64encode(hmac.new(case["superOffice"].encode(), body, hashlib.sha256).digest()).decode()
                self.assertTrue(hmac.compare_digest(own, headers["X-SuperOffice-Signature"]))

    def test_there_is_something_to_judge(self):
        self.assertGreaterEqual(len(list(caught())), 7)


if __name__ == "__main__":
    unittest.main()

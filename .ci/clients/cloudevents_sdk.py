"""The official CloudEvents SDK for Python: it percent-encodes headers as the HTTP
binding says, which the one for JavaScript does not."""

import base64
import json
import os
import unittest
import urllib.error
import urllib.request
import uuid

from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

USER = base64.b64encode(b"tje0:Tje0").decode()


def submit(message):
    request = urllib.request.Request(
        os.environ["POSTHASTE_URL"] + "/api/v1/Events", message.body, {**message.headers, "Authorization": "Basic " + USER}
    )
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def event(**attributes):
    return CloudEvent(
        {
            "id": str(uuid.uuid4()) + ' 100% "Blåbær" 😀',
            "source": "/sdk/python",
            "type": "sdk.tested",
            "specversion": "1.0",
            "datacontenttype": "application/json",
            **attributes,
        },
        {"name": "Blåbær AS", "total": 12.5},
    )


def batch(*events):
    bodies = b",".join(to_structured_event(each).body for each in events)
    return HTTPMessage({"content-type": "application/cloudevents-batch+json"}, b"[" + bodies + b"]")


class CloudEvents(unittest.TestCase):
    def test_an_event_in_every_mode_is_one_event(self):
        sent = event(subject="ø/7 €")
        responses = [submit(encode(sent)) for encode in (to_binary_event, to_structured_event, batch)]
        self.assertEqual([status for status, _ in responses], [202] * 3, responses)
        self.assertEqual(len({id for _, body in responses for id in body["EventIds"]}), 1)

    def test_a_batch_is_accepted_whole_or_not_at_all(self):
        status, body = submit(batch(event(), event(), event()))
        self.assertEqual((status, len(set(body["EventIds"]))), (202, 3))
        status, body = submit(batch(event(), event(type="not a name")))
        self.assertEqual(status, 400)
        self.assertTrue(body["Message"].startswith("[1].type "), body)


if __name__ == "__main__":
    unittest.main()

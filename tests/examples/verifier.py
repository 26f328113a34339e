"""A service that verifies Portcullis' tokens by itself, and still refuses a revoked one within a second.

usage: verifier.py URL < tokens      one token a line; answers "accepted" or "refused: WHY", a line each
needs: PyJWT[crypto], requests; KEY in the environment is an API key with the scope services.view, for the revocation feed

Signatures are checked with the public keys of /.well-known/jwks.json. What has been ended comes from /api/revocations/:
a snapshot at first, then a stream that goes on from its cursor, also after a lost connection.
"""

import base64
import hashlib
import os
import sys
import threading
import time

import jwt
import requests

URL = sys.argv[1].rstrip("/")
FEED = {"X-API-Key": os.environ["KEY"]}
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
keys = jwt.PyJWKClient(f"{URL}/.well-known/jwks.json", lifespan=300)


def verified(token, **options):
    return jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=ALGORITHMS, options=options)


class Revocations:
    """What the feed has told so far."""

    def __init__(self):
        self.cursor, self.ended, self.users, self.ready = None, set(), {}, threading.Event()
        threading.Thread(target=self.follow, daemon=True).start()

    def learn(self, sealed):
        step = verified(sealed)
        if step.get("after", self.cursor) != self.cursor and "after" in step:
            raise LookupError("a step is missing: start anew from a snapshot")
        self.ended.update(sid for sid, _until in step["ended"])
        self.users.update({str(user): generation for user, generation in step["users"]})
        self.cursor = step["cursor"]

    def follow(self):
        while True:
            try:
                if self.cursor is None:
                    snapshot = requests.get(f"{URL}/api/revocations/", headers=FEED, timeout=5)
                    self.learn(snapshot.json()["snapshot"])
                    self.ready.set()
                events = {"Accept": "text/event-stream", "Last-Event-ID": str(self.cursor)}
                with requests.get(f"{URL}/api/revocations/", headers=FEED | events, stream=True, timeout=30) as stream:
                    if stream.status_code == 410:
                        raise LookupError("the log no longer reaches back to our cursor")
                    stream.raise_for_status()
                    for line in stream.iter_lines(chunk_size=1):
                        if line.startswith(b"data: "):
                            self.learn(line.removeprefix(b"data: ").decode())
            except LookupError:
                self.cursor = None
            except (requests.RequestException, jwt.PyJWTError):
                pass  # the connection was lost: it goes on from the cursor
            time.sleep(0.1)

    def fault(self, claims):
        alone = base64.urlsafe_b64encode(hashlib.sha256(claims["jti"].encode()).digest()[:16]).rstrip(b"=").decode()
        if claims.get("sid") in self.ended or alone in self.ended:
            return "its session has ended"
        if claims.get("gen", 0) < self.users.get(claims["user_id"], 0):
            return "its user was signed out everywhere"


revocations = Revocations()
revocations.ready.wait(10)
print("ready", flush=True)
for line in sys.stdin:
    try:
        claims = verified(line.strip(), require=["exp", "jti", "user_id"])
        fault = "it is no access token" if claims.get("token_type") != "access" else revocations.fault(claims)
    except jwt.PyJWTError as error:
        fault = str(error)
    print(f"refused: {fault}" if fault else "accepted", flush=True)

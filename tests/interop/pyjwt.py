"""What PyJWT makes of tokens: verified by the keys that a server publishes.

usage: pyjwt.py JWKS_URL <TOKENS >CLAIMS   One token a line; one line of claims for each, as JSON.
"""

import json
import sys

import jwt

keys = jwt.PyJWKClient(sys.argv[1])
for line in sys.stdin:
    token = line.strip()
    algorithm = jwt.get_unverified_header(token)["alg"]
    key = keys.get_signing_key_from_jwt(token)
    # The key says what it is for; a service would write the algorithm down.
    assert key.algorithm_name == algorithm, (key.algorithm_name, algorithm)
    print(json.dumps(jwt.decode(token, key, algorithms=[algorithm], options={"require": ["exp", "iat", "jti"]})))

    start, end = token.rsplit(".", 1)
    changed = f"{start}.{'B' if end[0] == 'A' else 'A'}{end[1:]}"
    try:
        jwt.decode(changed, key, algorithms=[algorithm])
        sys.exit("a changed signature was accepted: this proves nothing")
    except jwt.InvalidSignatureError:
        pass

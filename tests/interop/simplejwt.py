"""The real djangorestframework-simplejwt, with the key of a server: reads that server's tokens, and makes some of its own.

usage: simplejwt.py <ASKED >TOLD   Both are one JSON object: asked are algorithm, signing_key, verifying_key, user_id, and a
pair of the server's (access, refresh); told is what was read from the pair, and the tokens that were made, by name.
"""

import json
import sys

import django
from django.conf import settings

asked = json.load(sys.stdin)
settings.configure(
    SECRET_KEY="of no meaning here: SIGNING_KEY signs",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
    SIMPLE_JWT={
        "ALGORITHM": asked["algorithm"],
        "SIGNING_KEY": asked["signing_key"],
        "VERIFYING_KEY": asked["verifying_key"],
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from rest_framework.test import APIRequestFactory  # noqa: E402
from rest_framework_simplejwt.authentication import JWTAuthentication  # noqa: E402
from rest_framework_simplejwt.serializers import TokenRefreshSerializer, TokenVerifySerializer  # noqa: E402
from rest_framework_simplejwt.tokens import RefreshToken, SlidingToken  # noqa: E402

call_command("migrate", verbosity=0)
user = User.objects.create(id=asked["user_id"], username="ann")

# The server's tokens, read as a Django site reads its own.
request = APIRequestFactory().get("/", headers={"authorization": f"Bearer {asked['access']}"})
who, access = JWTAuthentication().authenticate(request)
assert who == user, who
for token in (asked["access"], asked["refresh"]):
    TokenVerifySerializer(data={"token": token}).is_valid(raise_exception=True)
refreshing = TokenRefreshSerializer(data={"refresh": asked["refresh"]})
refreshing.is_valid(raise_exception=True)

# Tokens of its own: the user's id is text since 5.5.1, and was a number before.
text, number = RefreshToken.for_user(user), RefreshToken.for_user(user)
number["user_id"] = user.id
assert type(text["user_id"]) is str, text["user_id"]
more = RefreshToken.for_user(user)
more["roles"] = ["editor", {"of": "é"}]

json.dump(
    {
        "read": access.payload,
        "refreshed": refreshing.validated_data["access"],
        "pairs": {
            name: {"access": str(token.access_token), "refresh": str(token)}
            for name, token in {"text": text, "number": number, "more": more}.items()
        },
        "sliding": str(SlidingToken.for_user(user)),
    },
    sys.stdout,
)

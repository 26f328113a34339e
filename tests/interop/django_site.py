"""A real Django site with djangorestframework-simplejwt and allauth, as it stands when somebody moves away from it.

usage: django_site.py usual|members DATABASE [DUMP] >TOLD

Makes the tables in DATABASE (a new SQLite file, or postgres:///NAME?host=FOLDER&user=USER) and fills them: a user for every
hasher, groups and permissions, tokens, and rows that are odd in every way. Writes what `dumpdata` says of it to DUMP. Tells, as
one JSON object: secret_key; users, names and passwords of all who sign in there; tokens by name.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings

kind, database, *rest = sys.argv[1:]
SECRET_KEY = "r4nd0m-ch4racters-of-a-settings-file-of-some-years-ago"

if database.startswith("postgres://"):
    url = urlsplit(database)
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    where = {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "HOST": asked["host"], "USER": asked["user"]}
else:
    where = {"ENGINE": "django.db.backends.sqlite3", "NAME": database}

settings.configure(
    SECRET_KEY=SECRET_KEY,
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
        "allauth",
        "allauth.account",
        *(["members"] if kind == "members" else []),
    ],
    AUTH_USER_MODEL="members.Member" if kind == "members" else "auth.User",
    DATABASES={"default": where},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    PASSWORD_HASHERS=[
        f"django.contrib.auth.hashers.{name}PasswordHasher"
        for name in ("PBKDF2", "PBKDF2SHA1", "Argon2", "BCryptSHA256", "BCrypt", "Scrypt", "MD5")
    ],
    USE_TZ=True,
    MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
    SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
)
django.setup()

import argon2  # noqa: E402
from allauth.account.models import EmailAddress  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password  # noqa: E402
from django.contrib.auth.models import Group, Permission  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken  # noqa: E402
from rest_framework_simplejwt.tokens import RefreshToken, SlidingToken  # noqa: E402

call_command("migrate", run_syncdb=True, verbosity=0)
User = get_user_model()
users, tokens, more = {}, {}, {}


def tell():
    for path in rest:
        Path(path).write_text("")
        call_command("dumpdata", output=path, verbosity=0)
    json.dump({"secret_key": SECRET_KEY, "users": users, "tokens": tokens, **more}, sys.stdout)


def a_minute_ago(token):
    """As it would be, had it been minted a minute ago."""
    then = timezone.now() - timedelta(minutes=1)
    token.set_iat(at_time=then)
    token.set_exp(from_time=then)
    return token


if kind == "members":
    member = User(email="ann@example.org", phone_number="+49 30 1234", date_of_birth="1990-02-28", is_premium=True)
    member.set_password("a member's password")
    member.save()
    users[member.email] = "a member's password"
    group = Group.objects.create(name="keepers")
    group.permissions.add(Permission.objects.get(codename="change_member"))
    member.groups.add(group)
    tokens["access"] = str(a_minute_ago(RefreshToken.for_user(member).access_token))
    tell()
    sys.exit()


def user(name, password=None, hash=None, **fields):
    made = User(username=name, **fields)
    made.password = hash or make_password(password)
    made.save()
    if password and made.is_active:
        users[name] = password
    return made


# A user for each hasher, as `createsuperuser` and a sign-up view make them.
for hasher in ("pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt"):
    user(hasher, f"pässword of {hasher}", make_password(f"pässword of {hasher}", hasher=hasher))
for kind_of_argon2 in ("I", "D"):
    low = argon2.low_level
    text = low.hash_secret(b"of former days", b"some salt bytes!", 2, 1024, 2, 16, low.Type[kind_of_argon2])
    user(f"argon2{kind_of_argon2.lower()}", "of former days", f"argon2{text.decode()}")
user("old_rounds", "set in 2016", PBKDF2PasswordHasher().encode("set in 2016", "short", 30000))

ann = user(
    "ann",
    "ann's old password",
    first_name="Ann",
    last_name="Ä.",
    email="ann@EXAMPLE.org",
    is_staff=True,
    last_login=timezone.now(),
)
bob = user("bob", "bob's old password", email="bob@example.org")
root = user("root", "root's old password", is_staff=True, is_superuser=True)
away = user("away", "away's old password", is_active=False)
EmailAddress.objects.create(user=ann, email="ann@example.org", verified=True, primary=True)
EmailAddress.objects.create(user=bob, email="bob@example.org", verified=False, primary=True)

# Groups with permissions of all apps.
editors, readers = Group.objects.create(name="editors"), Group.objects.create(name="readers")
for codename in ("view_user", "change_user", "add_blacklistedtoken", "view_contenttype"):
    editors.permissions.add(Permission.objects.get(codename=codename))
ann.groups.add(editors, readers)
bob.groups.add(readers)
bob.user_permissions.add(Permission.objects.get(codename="view_group"))
endless = Group.objects.create(name="g" * 81)
bob.groups.add(endless)

# Tokens: the user's id is text since simplejwt 5.5.1, and was a number before.
for name in ("text", "number", "rotated", "signed_out"):
    refresh = a_minute_ago(RefreshToken.for_user(ann))
    if name == "number":
        refresh["user_id"] = ann.id
    access = refresh.access_token
    tokens[name] = {"refresh": str(refresh), "access": str(a_minute_ago(access))}
    if name in ("rotated", "signed_out"):
        refresh.blacklist()
tokens["away"] = {"refresh": str(RefreshToken.for_user(away))}
for name in ("sliding", "sliding_signed_out"):
    sliding = SlidingToken.for_user(bob)
    tokens[name] = str(sliding)
    if name == "sliding_signed_out":
        sliding.blacklist()
long_ago = timezone.now() - timedelta(days=2)
OutstandingToken.objects.create(user=bob, jti="e" * 32, token="", created_at=long_ago, expires_at=long_ago)
gone = user("gone", "gone's old password")
RefreshToken.for_user(gone)
gone.delete()
del users["gone"]

# What is odd.
user("no_password", hash=make_password(None))
user("ａnn", "of another ann")
user("two words", "of two words")
user("ﬁona", "fiona's old password")
user("not_an_address", "some old password", email="not an address")
user("own_hash", hash=make_password("md5", hasher="md5"))
user("plain_text", hash="hunter2")
user("cut_short", hash=make_password("x")[:-7])
user("absurd_rounds", hash="pbkdf2_sha256$4000000000$salt$" + make_password("x").rsplit("$")[-1])
user("absurd_memory", hash="argon2$argon2id$v=19$m=1073741824,t=2,p=1$c29tZSBzYWx0IGJ5dGVz$" + "A" * 43)
user("absurd_cost", hash=make_password("x", hasher="bcrypt").replace("$12$", "$31$"))
if connection.vendor == "sqlite":  # which keeps to no length
    user("x" * 151, "of a long name")
    user("long_first_name", "some old password", first_name="y" * 151)
    user("long_id", "some old password", id=2**60)
    user("below_zero", "some old password", id=-1)
for name in ("ａnn", "two words", "x" * 151, "long_id", "below_zero"):
    users.pop(name, None)
users["fiona"] = users.pop("ﬁona")  # as NFKC has it
more["ann"] = {"id": ann.id, **{name: getattr(ann, name).isoformat()[:23] for name in ("date_joined", "last_login")}}
more["highest"] = User.objects.filter(id__lt=2**50).latest("id").id
tell()

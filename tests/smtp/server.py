"""A mail server on loopback that behaves as it is told, with the real aiosmtpd behind it.

usage: server.py MODE [CERTIFICATE KEY]
modes: accept; starttls and tls (with the certificate, and a sign-in as "postman" with "secret 7"); refuse (550 for every
recipient); busy (451 once, then accepts); dies (closes the connection in the middle of the first letter, then accepts);
slow (accepts after half a second); hang (takes connections and says nothing).

Prints "port N", then a line for each connection ("connected") and a JSON line for each letter that it took. Ends with its
standard input.
"""

import asyncio
import email
import email.policy
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

MODE = sys.argv[1]


def say(text):
    print(text, flush=True)


class Handler:
    first = True

    async def handle_RCPT(self, server, session, envelope, address, options):
        if MODE == "refuse":
            return "550 5.1.1 nobody of that name here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        first, Handler.first = Handler.first, False
        if first and MODE == "busy":
            return "451 4.3.0 try again later"
        if first and MODE == "dies":
            server.transport.abort()
            return "250 OK"
        if MODE == "slow":
            await asyncio.sleep(0.5)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(json.dumps({
            "to": envelope.rcpt_tos,
            "from": envelope.mail_from,
            "subject": message["subject"],
            "text": message.get_body(("plain",)).get_content(),
            "html": message.get_body(("html",)).get_content(),
            "tls": MODE == "tls" or session.ssl is not None,
            "signed_in": bool(session.authenticated),
        }))
        return "250 OK"


class Server(SMTP):
    def connection_made(self, transport):
        if transport.get_extra_info("sslcontext") is None or MODE == "tls":
            say("connected")
        super().connection_made(transport)


class Silent(asyncio.Protocol):
    def connection_made(self, transport):
        say("connected")


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"postman" and data.password == b"secret 7")


def new_server():
    if MODE == "hang":
        return Silent()
    if MODE in ("starttls", "tls"):
        more = dict(authenticator=authenticate, auth_required=True, auth_require_tls=MODE == "starttls")
        return Server(Handler(), tls_context=context() if MODE == "starttls" else None,
                      require_starttls=MODE == "starttls", **more)
    return Server(Handler())


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(sys.argv[2], sys.argv[3])
    return made


async def main():
    loop = asyncio.get_running_loop()
    wrapped = context() if MODE == "tls" else None
    server = await loop.create_server(new_server, "127.0.0.1", 0, ssl=wrapped)
    say(f"port {server.sockets[0].getsockname()[1]}")
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())

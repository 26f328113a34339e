// What jose makes of tokens: verified by the keys that a server publishes.
//
// usage: jose.mjs JWKS_URL <TOKENS >CLAIMS   One token a line; one line of claims for each, as JSON.

import { webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

globalThis.crypto ??= webcrypto; // Node 18, which Debian 12 has, keeps it in a module
const tools = createRequire(new URL("../.tools/", import.meta.url));
const { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } = await import(pathToFileURL(tools.resolve("jose")));

const keys = createRemoteJWKSet(new URL(process.argv[2]));
for await (const token of createInterface({ input: process.stdin })) {
  const algorithms = [decodeProtectedHeader(token).alg];
  const { payload } = await jwtVerify(token, keys, { algorithms, typ: "JWT", requiredClaims: ["exp", "iat", "jti"] });
  console.log(JSON.stringify(payload));

  const at = token.lastIndexOf(".") + 1;
  const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
  const refused = await jwtVerify(changed, keys, { algorithms }).then(() => null, (error) => error.code);
  if (refused !== "ERR_JWS_SIGNATURE_VERIFICATION_FAILED") throw new Error(`a changed signature: ${refused}`);
}

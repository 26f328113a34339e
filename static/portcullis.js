/* Portcullis in the browser: signing in, an access token that is always fresh, in all tabs, and live events.

   A module without a build step and without dependencies; take it from the server, or copy it.

     import { Portcullis } from "https://auth.example.org/static/portcullis.js";

     const auth = new Portcullis({ origin: "https://auth.example.org" });
     await auth.signIn({ username: "ann", password: "correct horse 9" });   // and otp, where code is "two_factor_required"
     await auth.json("/api/tasks/", { method: "POST", body: { title: "Buy milk" } });
     const live = auth.live({ open: readTheLists, event: (name, task) => … });   // "task.created", …
     await auth.signOut();                                                  // here and in all tabs; { everywhere: true } on all devices

   Options of the constructor, and what they are without it:
     origin   the page's own   where the server is
     mode     "local"          where the refresh token is kept: "local", in localStorage, so that a sign-in outlives the
                               browser; "memory", in the open tabs alone; "cookie", where no script can read it: for a server
                               with jwt.refresh_cookie, whose answers hold the access token alone
     name     "portcullis"     under which tabs share: one for each application on an origin
     header, scheme            "Authorization", "Bearer": see jwt.auth_header_name and jwt.auth_header_types

   Members:
     signedIn, claims          whether somebody is signed in, and what the access token says of them
     signIn, register          resolve when somebody is signed in; else they throw Refused
     signOut                   resolves when the session is over; throws, and nothing is over, if the server is not reached
     fetch(path, init)         as fetch, with the token; after a 401 once more with a newer one. To the server alone.
     json(path, init)          the same with a body that is an object; resolves to what is answered, throws Refused
     token()                   a token that is good for some seconds at least, or null
     ready                     resolves once it is known whether somebody is signed in
     live({ open, event, state })   a WebSocket that is opened again whenever it closes, until close() is called. open() is
                               called each time: read the lists then, for what happened meanwhile is not told
   Events of the object: "signin", "signout" (in whichever tab it happened), "token" (there is a newer one).

   Of all tabs one refreshes at a time (navigator.locks, or a lease in localStorage where a page may not have those), and the
   others get what it got (storage events or a BroadcastChannel). Times are taken from how long a token lives, not from
   what o'clock it ends: the clocks of people are wrong. */

/** What the server did not do: status, code (as "two_factor_required"), and body as it was answered. */
export class Refused extends Error {
  constructor(status, body) {
    const told = body && (body.detail ?? body.error ?? Object.values(body).flat().join(" "));
    super(told || `The server answered ${status}.`);
    this.name = "Refused";
    this.status = status;
    this.body = body;
    this.code = body?.code ?? null;
  }
}

/* How long the one that has refreshed keeps the others waiting, so that they have got its tokens when it is their turn. */
const HANDOVER = 150;
/* A lease that its holder did not give back ends after this. */
const LEASE = 10_000;
/* How long a new tab waits for another to tell who is signed in. */
const GREETING = 150;

const pause = wait => new Promise(resolve => setTimeout(resolve, wait));

export class Portcullis extends EventTarget {
  #origin; #mode; #name; #header; #scheme;
  #tokens = null;        // { access, refresh, until, life }: until when it is good by this machine's clock, and how long it lives
  #renewal = null;       // the one under way in this tab
  #lives = new Set();
  #timer = 0;
  #channel = null;

  constructor({ origin = location.origin, mode = "local", name = "portcullis", header = "Authorization", scheme = "Bearer" } = {}) {
    super();
    this.#origin = new URL(origin, location.href).origin;
    [this.#mode, this.#name, this.#header, this.#scheme] = [mode, name, header, scheme];
    if (mode === "local") {
      addEventListener("storage", event => {
        if (event.key === name || event.key === null) this.#set(this.#stored());
      });
      this.#tokens = this.#stored();
    } else if (globalThis.BroadcastChannel) {
      this.#channel = new BroadcastChannel(name);
      this.#channel.onmessage = ({ data }) => {
        if (data.ask) { if (this.#tokens) this.#channel.postMessage({ tokens: this.#tokens }); }
        else this.#set(data.tokens);
      };
    }
    this.ready = this.#begin();
  }

  get signedIn() { return this.#tokens !== null; }
  get claims() { return this.#tokens && claims(this.#tokens.access); }

  async signIn(credentials) { await this.#enter("/api/token/", credentials); }

  async register(account) { await this.#enter("/api/register/", account); }

  async signOut({ everywhere = false } = {}) {
    // A newer token comes with a newer refresh token, and that is what the session ends by.
    if (!await this.token()) return;
    const told = everywhere
      ? await this.fetch("/api/logout/all/", { method: "POST" })
      : await this.fetch("/api/logout/", this.#posted(this.#held()));
    // A 400 is a session that is over already, and a 401 nobody's.
    if (!told.ok && ![400, 401].includes(told.status)) throw new Refused(told.status, await read(told));
    this.#keep(null);
  }

  async token() {
    const tokens = this.#tokens;
    if (!tokens) return null;
    return Date.now() < tokens.until - margin(tokens) ? tokens.access : this.#renew(tokens.access);
  }

  async fetch(path, init = {}) {
    const url = new URL(path, this.#origin);
    if (url.origin !== this.#origin) throw new TypeError(`${url.origin} is not told the token`);
    const send = token => {
      const headers = new Headers(init.headers);
      if (token) headers.set(this.#header, `${this.#scheme} ${token}`);
      return fetch(url, { ...this.#cookies(), ...init, headers });
    };
    await this.ready;
    const token = await this.token();
    const answer = await send(token);
    if (answer.status !== 401 || !token) return answer;
    const newer = await this.#renew(token);
    return newer ? send(newer) : answer;
  }

  async json(path, { body, ...init } = {}) {
    const answer = await this.fetch(path, body === undefined ? init : { ...init, ...this.#posted(body), method: init.method ?? "POST" });
    const told = await read(answer);
    if (!answer.ok) throw new Refused(answer.status, told);
    return told;
  }

  live(handlers = {}) {
    const live = new Live(this, new URL("/ws/", this.#origin.replace(/^http/, "ws")), handlers, () => {
      this.#lives.delete(live);
      this.#schedule();
    });
    this.#lives.add(live);
    this.#schedule();
    return live;
  }

  async #begin() {
    if (this.#mode === "local" || this.#tokens) return;
    this.#channel?.postMessage({ ask: true });
    for (const start = Date.now(); this.#channel && !this.#tokens && Date.now() - start < GREETING;) await pause(10);
    // Nobody else is there to tell; the cookie may be.
    if (!this.#tokens && this.#mode === "cookie") await this.#renew(null).catch(() => null);
  }

  async #enter(path, body) {
    const answer = await fetch(new URL(path, this.#origin), { ...this.#cookies(), ...this.#posted(body) });
    const told = await read(answer);
    if (!answer.ok) throw new Refused(answer.status, told);
    if (told?.access) this.#keep(this.#taken(told));
  }

  /* One refresh at a time over all tabs: a newer token than `stale`, or null if there is nobody signed in any more. */
  #renew(stale) {
    this.#renewal ??= new Promise((resolve, reject) => {
      const done = () => { this.#renewal = null; };
      this.#alone(async () => {
        if (this.#mode === "local") this.#set(this.#stored());
        const known = this.#tokens;
        if (stale !== null && known?.access !== stale) return resolve(known?.access ?? null);
        const answer = await fetch(new URL("/api/token/refresh/", this.#origin), { ...this.#cookies(), ...this.#posted(this.#held()) });
        const told = await read(answer);
        if (answer.ok) {
          this.#keep(this.#taken({ refresh: known?.refresh, ...told }));
          resolve(this.#tokens.access);
          await pause(HANDOVER);
        } else if ([400, 401, 403].includes(answer.status)) {
          if (known) this.#keep(null);
          resolve(null);
        } else {
          throw new Refused(answer.status, told);
        }
      }).catch(reject).finally(done);
    });
    return this.#renewal;
  }

  async #alone(work) {
    // Where a page is not secure there are no locks.
    if (navigator.locks) return navigator.locks.request(`${this.#name}.refresh`, work);
    const key = `${this.#name}.refresh`, own = crypto.getRandomValues(new Uint32Array(2)).join("-");
    const holder = () => {
      const [id, until] = (localStorage.getItem(key) ?? "").split(" ");
      return Number(until) > Date.now() ? id : null;
    };
    while (holder() !== own) {
      if (!holder()) localStorage.setItem(key, `${own} ${Date.now() + LEASE}`);
      await pause(20 + Math.random() * 30); // whoever wrote last has it
    }
    try { return await work(); } finally { if (holder() === own) localStorage.removeItem(key); }
  }

  #taken({ access, refresh }) {
    const { exp, iat } = claims(access);
    const life = (exp - iat) * 1000;
    return { access, life, until: Date.now() + life, ...(this.#mode !== "cookie" && { refresh }) };
  }

  /* Takes tokens, or that there are none any more, and tells the other tabs. */
  #keep(tokens) {
    if (this.#mode !== "local") this.#channel?.postMessage({ tokens });
    else if (tokens) localStorage.setItem(this.#name, JSON.stringify(tokens));
    else localStorage.removeItem(this.#name);
    this.#set(tokens);
  }

  #set(tokens) {
    const before = this.#tokens;
    if (before?.access === tokens?.access) return;
    this.#tokens = tokens;
    this.#schedule();
    const happened = name => this.dispatchEvent(new Event(name));
    if (!tokens) happened("signout");
    else happened(before && session(before) === session(tokens) ? "token" : "signin");
  }

  #stored() {
    try { return JSON.parse(localStorage.getItem(this.#name)); } catch { return null; }
  }

  /* While events are listened to, the token is renewed before it ends, and the socket lives on with the new one. */
  #schedule() {
    clearTimeout(this.#timer);
    if (!this.#tokens || this.#lives.size === 0) return;
    const wait = Math.max(this.#tokens.until - margin(this.#tokens) - Date.now(), 0);
    const again = () => this.#schedule(), later = () => { this.#timer = setTimeout(again, 2000 + Math.random() * 2000); };
    this.#timer = setTimeout(() => this.token().then(again, later), Math.min(wait, 2 ** 31 - 1));
  }

  #held() { return this.#mode === "cookie" ? {} : { refresh: this.#tokens?.refresh }; }
  #cookies() { return this.#mode === "cookie" ? { credentials: "include" } : {}; }
  #posted(body) { return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }; }
}

/* A WebSocket that is there as long as somebody is signed in. */
class Live {
  #auth; #url; #handlers; #closed; #socket = null; #token = null; #tries = 0; #timer = 0; #over = false;
  #listeners = new AbortController();

  constructor(auth, url, handlers, closed) {
    [this.#auth, this.#url, this.#handlers, this.#closed] = [auth, url, handlers, closed];
    const { signal } = this.#listeners;
    auth.addEventListener("token", () => this.#extend(), { signal });
    auth.addEventListener("signin", () => this.#again(), { signal });
    auth.addEventListener("signout", () => this.#leave(), { signal });
    addEventListener("online", () => this.#again(), { signal });
    this.#open();
  }

  close() {
    this.#over = true;
    this.#listeners.abort();
    this.#leave();
    this.#closed();
  }

  async #open() {
    const own = this.#socket = {}; // whoever is overtaken while waiting gives up
    const overtaken = () => this.#over || this.#socket !== own;
    let token;
    try {
      await this.#auth.ready;
      token = await this.#auth.token();
    } catch {
      if (!overtaken()) this.#later();
      return;
    }
    if (overtaken() || !token) return;
    const socket = this.#socket = new WebSocket(this.#url, ["bearer", token]);
    this.#token = token;
    let opened = false;
    this.#tell("connecting");
    socket.onopen = () => {
      opened = true;
      this.#tries = 0;
      this.#extend();
      this.#tell("open");
      this.#handlers.open?.();
    };
    socket.onmessage = ({ data }) => {
      const { event, data: row } = JSON.parse(data);
      this.#handlers.event?.(event, row);
    };
    socket.onclose = async ({ code }) => {
      if (this.#socket !== socket) return;
      this.#tell("closed");
      // A handshake that was refused looks as one that was never answered: whether the token is good is asked elsewhere.
      if (code === 4401 || !opened) await this.#auth.fetch("/api/token/info/").catch(() => null);
      if (this.#socket === socket && this.#auth.signedIn) this.#later();
    };
  }

  /* Goes on with a newer token of the same session. */
  async #extend() {
    const socket = this.#socket;
    if (!(socket instanceof WebSocket) || socket.readyState !== WebSocket.OPEN) return;
    const token = await this.#auth.token().catch(() => null);
    if (!token || token === this.#token || this.#socket !== socket || socket.readyState !== WebSocket.OPEN) return;
    this.#token = token;
    socket.send(JSON.stringify({ type: "auth", token }));
  }

  #later() {
    const most = Math.min(30_000, 500 * 2 ** this.#tries++);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), most / 2 + Math.random() * most / 2);
  }

  #again() {
    if (this.#socket?.readyState === WebSocket.OPEN && this.#auth.claims?.sid === claims(this.#token).sid) return;
    this.#leave();
    this.#open();
  }

  #leave() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#tries = 0;
    if (socket instanceof WebSocket) socket.close(1000);
    this.#tell("closed");
  }

  #tell(state) { this.#handlers.state?.(state); }
}

/* Before its end a token is renewed: half a minute, or a quarter of a short life. */
const margin = ({ life }) => Math.min(30_000, life / 4);

const session = ({ access }) => { const { sid, jti } = claims(access); return sid ?? jti; };

function claims(token) {
  const bytes = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, byte => byte.charCodeAt(0))));
}

async function read(answer) {
  const text = await answer.text();
  try { return text ? JSON.parse(text) : null; } catch { return null; }
}

/* The example page: one's own tasks, live in all tabs. All that is about tokens is in portcullis.js. */
import { Portcullis, Refused } from "/static/portcullis.js";

const { mode, header, scheme } = document.body.dataset;
const auth = new Portcullis({ mode, header, scheme });
const at = id => document.getElementById(id);
const list = at("list");
let live = null, next = null;

/* Who is there. */

function show() {
  at("door").hidden = auth.signedIn;
  at("tasks").hidden = at("account").hidden = !auth.signedIn;
  document.querySelectorAll(".who").forEach(who => { who.textContent = auth.claims?.username ?? "you"; });
  if (auth.signedIn) live ??= auth.live({ open: readTasks, event: hear, state: tell });
  else {
    live?.close();
    live = null;
    list.replaceChildren();
    at("enter").reset();
    at("code").hidden = true;
  }
}

auth.addEventListener("signin", () => { list.replaceChildren(); show(); });
auth.addEventListener("signout", show);
auth.ready.then(show);

at("enter").addEventListener("submit", event => {
  event.preventDefault();
  const isNew = event.submitter?.value === "new";
  const told = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value));
  refuse("");
  (isNew ? auth.register(told) : auth.signIn(told)).then(() => at("f-title").focus(), error => {
    const asksForCode = error.code?.startsWith("two_factor_");
    if (asksForCode) {
      at("code").hidden = false;
      at("f-otp").focus();
    }
    refuse(error.code === "two_factor_required" ? "" : words(error));
  });
});

at("sign-out").addEventListener("click", () => leave(false));
at("sign-out-all").addEventListener("click", () => leave(true));

function leave(everywhere) {
  document.querySelector(".c-menu").open = false;
  return attempt(auth.signOut({ everywhere }).then(() => at("f-username").focus()));
}

/* The tasks. */

async function readTasks() {
  await attempt(auth.json("/api/tasks/?ordering=-created_at").then(page => {
    list.replaceChildren(...page.results.map(row));
    paged(page);
  }));
}

at("more").addEventListener("click", () => attempt(auth.json(`/api/tasks/${next}`).then(page => {
  page.results.filter(task => !known(task)).forEach(task => list.append(row(task)));
  paged(page);
})));

function paged(page) {
  next = page.next && new URL(page.next).search;
  at("more").hidden = !next;
  at("empty").hidden = list.children.length > 0;
}

const known = ({ id }) => list.querySelector(`[data-id="${id}"]`);

function row(task) {
  const item = at("task").content.firstElementChild.cloneNode(true);
  const [box, label, button] = item.children;
  item.dataset.id = task.id;
  box.id = `task-${task.id}`;
  label.htmlFor = box.id;
  box.addEventListener("change", () => attempt(send(item, "PATCH", { completed: box.checked })).then(done => {
    if (!done) box.checked = !box.checked;
  }));
  button.addEventListener("click", () => attempt(send(item, "DELETE")).then(done => { if (done) remove(item); }));
  return fill(item, task);
}

function fill(item, task) {
  const [box, label, button] = item.children;
  box.checked = task.completed;
  label.textContent = task.title;
  button.querySelector(".u-sr").textContent = `Delete ${task.title}`;
  return item;
}

function remove(item) {
  const beside = item.nextElementSibling ?? item.previousElementSibling;
  if (item.contains(document.activeElement)) (beside?.querySelector("button") ?? at("f-title")).focus();
  item.remove();
  at("empty").hidden = list.children.length > 0;
}

const send = (item, method, body) => auth.json(`/api/tasks/${item.dataset.id}/`, { method, body });

at("add").addEventListener("submit", event => {
  event.preventDefault();
  const field = at("f-title");
  attempt(auth.json("/api/tasks/", { body: { title: field.value } }).then(task => {
    field.value = "";
    place(task);
  }));
});

function place(task) {
  const item = known(task);
  if (item) fill(item, task); else list.prepend(row(task));
  at("empty").hidden = true;
}

function hear(event, task) {
  if (event === "task.created" || event === "task.updated" && known(task)) place(task);
  if (event === "task.deleted" && known(task)) remove(known(task));
}

/* What is said. */

const STATES = { open: ["Live", "ok"], connecting: ["Connecting…", "plain"], closed: ["Not connected", "warn"] };

function tell(state) {
  const [text, kind] = STATES[state];
  at("live").textContent = text;
  at("live").className = `c-badge c-badge--plain c-badge--${kind}`;
}

function words(error) {
  return error instanceof Refused ? error.message : "The server cannot be reached. Try again in a moment.";
}

function refuse(text) {
  at("refused").textContent = text;
  at("refused").hidden = !text;
}

/* Whether it was done; if not, the page says why. */
async function attempt(doing) {
  const trouble = at("trouble");
  try {
    await doing;
    trouble.hidden = true;
    return true;
  } catch (error) {
    trouble.textContent = words(error);
    trouble.hidden = !auth.signedIn;
    return false;
  }
}

// The page of calls: two lists from /api/v1, kept current by the live stream.
// Nothing from a record is ever inserted as HTML, and no other host is asked for anything.

const LIST_MOST = 1000;
const FINISHED_FIRST = 50;
const FINISHED_SHOWN = 200;
const RELOAD_MS = 5000;
const RETRY_FIRST_MS = 1000;
const RETRY_MOST_MS = 30000;

const byTestId = (name) => document.querySelector(`[data-testid="${name}"]`);
const banner = byTestId("banner");
const live = new Map();
const finished = new Map();
let older = null;
// Calls in progress beyond the rows of the page.
let notShown = 0;
let lastNews = Date.now();
let retryMs = RETRY_FIRST_MS;

const time = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });
byTestId("zone").textContent = time.resolvedOptions().timeZone;

const answer = async (path) => {
  const response = await fetch(path, { headers: { accept: "application/json" } });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Error(`${response.status} ${problem.code ?? ""} ${problem.request_id ?? ""}`.trim());
  }
  return response.json();
};

// A call that is not RM's may have no GUID.
const nameOf = (call) => call.guid ?? call.key;

const duration = (ms) => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
};

const end = (call) =>
  call.end_state === "REJECTED"
    ? `${call.reason ?? "rejected"} (${call.sip_status ?? "–"})`
    : (call.end_state ?? "").toLowerCase().replaceAll("_", " ");

const cells = (call, isLive) => {
  const lasted = isLive ? Date.now() - Date.parse(call.started_at) : call.duration_ms;
  const texts = [
    time.format(new Date(call.started_at)),
    duration(lasted ?? 0),
    call.remote_uri ?? "–",
    call.dn ?? "–",
    call.tenant?.name ?? "–",
    call.profile?.name ?? "–",
    call.resource ?? "–",
  ];
  return isLive ? texts : [...texts, end(call)];
};

// Rows are changed in place, so that a selection stays where it is.
const draw = (testId, calls, isLive) => {
  const body = byTestId(testId).tBodies[0];
  const rows = new Map([...body.rows].map((row) => [row.dataset.guid, row]));
  let before = body.firstElementChild;
  for (const call of calls) {
    let row = rows.get(nameOf(call));
    rows.delete(nameOf(call));
    if (row === undefined) {
      row = document.createElement("tr");
      row.dataset.guid = nameOf(call);
      row.title = nameOf(call);
    }
    const texts = cells(call, isLive);
    while (row.cells.length < texts.length) row.insertCell();
    texts.forEach((text, n) => {
      if (row.cells[n].textContent !== text) row.cells[n].textContent = text;
    });
    row.cells[texts.length - 1].classList.toggle("refused", call.end_state === "REJECTED");
    if (row === before) before = before.nextElementSibling;
    else body.insertBefore(row, before);
  }
  rows.forEach((row) => row.remove());
};

const newestFirst = (calls) =>
  [...calls.values()].sort((a, b) => (a.started_at < b.started_at ? 1 : -1));

const show = () => {
  draw("live-calls", newestFirst(live), true);
  draw("finished-calls", newestFirst(finished), false);
  byTestId("live-count").textContent = String(live.size + notShown);
  byTestId("live-empty").hidden = live.size > 0;
  byTestId("finished-empty").hidden = finished.size > 0;
  byTestId("more").hidden = older === null;
};

const keep = (call) => {
  if (call.state === "live") {
    live.set(nameOf(call), call);
    finished.delete(nameOf(call));
  } else {
    live.delete(nameOf(call));
    finished.set(nameOf(call), call);
  }
};

const load = async () => {
  const rows = Math.min(LIST_MOST, Math.max(FINISHED_FIRST, finished.size));
  const [up, done] = await Promise.all([
    answer(`/api/v1/live/calls?limit=${LIST_MOST}`),
    answer(`/api/v1/calls?state=completed&limit=${rows}`),
  ]);
  live.clear();
  finished.clear();
  [...up.items, ...done.items].forEach(keep);
  older = done.next;
  notShown = Math.max(0, up.total - up.items.length);
  lastNews = Date.now();
  show();
  document.body.dataset.ready = "true";
};

// The stream tells of legs, the lists show sessions. A session of one leg is that leg; where it is
// more than that, the lists are read again, but not for every message.
let reloading = null;
const take = (leg) => {
  const known = live.get(nameOf(leg)) ?? finished.get(nameOf(leg));
  if (known ? known.key === leg.key && known.legs_count === 1 : isWhole(leg)) {
    keep(leg);
  } else if (leg.component.type === "RM" || !known) {
    reloading ??= setTimeout(() => {
      reloading = null;
      load().catch(() => {}); // a lost connection shows at the stream
    }, RELOAD_MS);
  }
};
const isWhole = (leg) => leg.component.type === "RM" || leg.guid === null;

// What arrives by the stream must not grow the page without end; what was asked for stays.
let asked = FINISHED_SHOWN;
const trim = () => {
  newestFirst(finished)
    .slice(asked)
    .forEach((call) => finished.delete(nameOf(call)));
};

const say = (text) => {
  banner.textContent = text;
  banner.hidden = text === "";
};

const listen = () => {
  const stream = new EventSource("/api/v1/live/stream?topics=calls");
  const news = (handler) => (event) => {
    lastNews = Date.now();
    handler(event);
  };
  stream.onopen = news(() => {
    retryMs = RETRY_FIRST_MS;
    load().then(() => say(""), lost);
  });
  stream.addEventListener("calls", news((event) => {
    JSON.parse(event.data).items.forEach(take);
    trim();
    show();
  }));
  stream.addEventListener("reset", news(() => load().catch(lost)));
  const lost = (error) => {
    stream.close();
    const age = duration(Date.now() - lastNews);
    const why = error instanceof Error ? ` (${error.message})` : "";
    say(`The connection to the Reporting Server is lost${why}; these figures are ${age} old.`);
    setTimeout(listen, retryMs);
    retryMs = Math.min(retryMs * 2, RETRY_MOST_MS);
  };
  stream.onerror = lost;
};

byTestId("more").addEventListener("click", async () => {
  const cursor = encodeURIComponent(older);
  try {
    const page = await answer(`/api/v1/calls?state=completed&limit=${FINISHED_FIRST}&cursor=${cursor}`);
    page.items.forEach(keep);
    asked = Math.max(asked, finished.size);
    older = page.next;
    show();
  } catch (error) {
    say(`Older calls could not be read (${error.message}).`);
  }
});

// Durations of calls that are up tick once a second.
setInterval(() => draw("live-calls", newestFirst(live), true), 1000);
listen();

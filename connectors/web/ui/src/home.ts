// The landing page: how the flow is doing, what waits for people, and where everything else is.

import { acceptanceCard } from "./acceptance";
import { Api } from "./api";
import { byID, el } from "./dom";
import type { Acceptance, QueueCount, Status, StepStatus, Task } from "./types";
import { actor, signedIn } from "./who";

const api = new Api(actor);
const every = 2000; // milliseconds between looks

const page = {
  steps: byID("steps", HTMLTableSectionElement),
  flow: byID("flow", HTMLElement),
  queues: byID("queues", HTMLElement),
  accepting: byID("accepting", HTMLElement),
  acceptance: byID("acceptance", HTMLElement),
  doubtful: byID("doubtful", HTMLElement),
  links: byID("links", HTMLElement),
  live: byID("live", HTMLElement),
};

const number = new Intl.NumberFormat("en");

function showSteps(status: Status): void {
  page.steps.replaceChildren(...status.steps.map(stepRow));
  page.flow.hidden = status.steps.length === 0;
}

function stepRow(s: StepStatus): HTMLElement {
  const cell = (text: string, className = "num"): HTMLElement => el("td", { className, textContent: text });
  const state = el("td", {}, el("span", { className: `dot ${s.state}`, title: s.state }), s.step);
  const row = el(
    "tr", {}, state,
    cell(number.format(s.in)), cell(number.format(s.out)),
    cell(number.format(s.rejected), s.rejected > 0 ? "num warn" : "num"),
    cell(number.format(s.dead), s.dead > 0 ? "num bad" : "num"),
    cell(s.lag < 0 ? "–" : number.format(s.lag)), cell(number.format(s.in_flight)),
    cell(`${s.rate < 10 ? s.rate.toFixed(1) : number.format(Math.round(s.rate))}/s`),
    cell(millis(s.p50_ms)), cell(millis(s.p95_ms)),
    cell(s.last_error ?? "", "error"),
  );
  if (s.last_error) row.title = s.last_error;
  return row;
}

const millis = (ms: number): string => (ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`);

function showQueues(queues: QueueCount[]): void {
  page.queues.replaceChildren(
    ...queues.map((q) => {
      const total = q.open + q.claimed + q.submitted;
      return el(
        "a", { className: "card queue", href: `/label?queue=${encodeURIComponent(q.queue)}` },
        el("h3", { textContent: q.queue }),
        el("progress", { max: Math.max(total, 1), value: q.submitted }),
        el("p", { textContent: `${number.format(q.open)} open · ${number.format(q.claimed)} in work · ${number.format(q.submitted)} done` }),
      );
    }),
  );
  if (queues.length === 0) {
    const how = el("p", { className: "quiet" }, "No image waits for a person yet. Send some: ", el("code", { textContent: "gleaner push FOLDER --dataset NAME" }));
    page.queues.replaceChildren(how);
  }
}

function showAcceptance(datasets: Acceptance[]): void {
  page.acceptance.replaceChildren(...datasets.map(acceptanceCard));
  page.accepting.hidden = datasets.length === 0;
}

let shown = "";

/** Rebuilds the cards only when they change, so that thumbnails do not flicker. */
function showDoubtful(tasks: Task[]): void {
  const key = JSON.stringify(tasks.map((t) => [t.id, t.version, t.reason]));
  if (key === shown) return;
  shown = key;
  page.doubtful.replaceChildren(
    ...tasks.map((t) => {
      const img = el("img", { src: `/api/samples/${t.sample_id}/image`, alt: "", loading: "lazy", decoding: "async" });
      img.addEventListener("error", () => img.replaceWith(el("div", { className: "blank" })));
      return el(
        "a", { className: "card doubt", href: `/label?task=${encodeURIComponent(t.id)}`, title: t.reason },
        img,
        el("h3", { textContent: t.unique_id || t.sample_id.slice(0, 12) }),
        el("p", { textContent: t.reason }),
      );
    }),
  );
  if (tasks.length === 0) page.doubtful.replaceChildren(el("p", { className: "quiet", textContent: "Nothing is in doubt." }));
}

function showLinks(links: Record<string, string>): void {
  const add = (href: string | undefined, text: string): void => {
    if (href) page.links.append(el("a", { href, textContent: text, rel: "noreferrer" }));
  };
  add("/metrics", "Metrics");
  add(links["clickhouse"], "ClickHouse");
  add(links["dashboards"], "Dashboards");
}

async function look(): Promise<void> {
  const parts = await Promise.allSettled([
    signedIn(api, () => api.queues()).then(showQueues),
    api.tasks("open", 10).then(showDoubtful),
    api.acceptance().then(showAcceptance),
    api.status().then(showSteps),
  ]);
  const down = parts[0]?.status === "rejected";
  page.live.className = down ? "badge off" : "badge live";
  page.live.textContent = down ? "not reachable" : "live";
}

async function main(): Promise<void> {
  await signedIn(api, () => api.links()).then(showLinks).catch(() => undefined);
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((done) => setTimeout(done, every));
  }
}

void main();

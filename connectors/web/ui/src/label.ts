// The labeling page: joins the session, the editor's state, the canvas and the lists.

import { Api, ApiError } from "./api";
import { Canvas } from "./canvas";
import { ask, byID, el } from "./dom";
import { around, type Box } from "./geometry";
import { decode, warmUp } from "./labelmap";
import * as edit from "./state";
import { showFindings, showObjects, type PanelCallbacks } from "./panel";
import { Regions } from "./regions";
import { Session } from "./session";
import type { Finding, TaskView } from "./types";
import { actor, askName, signedIn } from "./who";

const params = new URLSearchParams(location.search);
const queue = params.get("queue") ?? "";
const api = new Api(actor);

const page = {
  canvas: byID("canvas", HTMLCanvasElement),
  stage: byID("stage", HTMLElement),
  message: byID("message", HTMLElement),
  title: byID("title", HTMLElement),
  reason: byID("reason", HTMLElement),
  findings: byID("findings", HTMLElement),
  objects: byID("objects", HTMLElement),
  classes: byID("classes", HTMLDataListElement),
  saved: byID("saved", HTMLElement),
  progress: byID("progress", HTMLProgressElement),
  count: byID("count", HTMLElement),
  accept: byID("accept", HTMLButtonElement),
  skip: byID("skip", HTMLButtonElement),
  undo: byID("undo", HTMLButtonElement),
  redo: byID("redo", HTMLButtonElement),
  superpixels: byID("superpixels", HTMLButtonElement),
  granularity: byID("granularity", HTMLElement),
  level: byID("level", HTMLElement),
  finer: byID("finer", HTMLButtonElement),
  coarser: byID("coarser", HTMLButtonElement),
  fit: byID("fit", HTMLButtonElement),
  help: byID("help", HTMLButtonElement),
  who: byID("who", HTMLButtonElement),
};

// Whether and how coarse the person likes superpixels.
const shownSlot = "gleaner.superpixels";
const levelSlot = "gleaner.level";
const current = "gleaner.task"; // this tab's task, so that a reload goes on with it

let view: TaskView | null = null;
let state: edit.State | null = null;
let regions: Regions | null = null;
let regionsShown = localStorage.getItem(shownSlot) === "on";
let busy = false;
let lastClass = "";

const canvas = new Canvas(page.canvas, {
  drawn: draw,
  changed: (id, box) => apply((s) => edit.setBox(s, id, box)),
  selected: (id) => apply((s) => edit.select(s, id)),
  coarser: (levels) => void changeLevel(levels),
});

const session = new Session(api, {
  saving: (text) => (page.saved.textContent = text),
  conflict: (err) => void resolve(err),
  failed,
});

/** Says why a command failed: each rule of the dataset that a submission breaks, each label that lint doubts. */
function failed(err: unknown): void {
  const close = { text: "Close", act: () => say("") };
  if (err instanceof ApiError && err.findings.length > 0) return asked(err.findings);
  if (!(err instanceof ApiError) || err.violations.length === 0) return say(...explain(err), close);
  say("The dataset's rules do not allow this", "", close);
  const rows = err.violations.map((v) => el("li", { className: v.severity, textContent: v.message }));
  page.message.querySelector("p")?.replaceWith(el("ul", {}, ...rows));
  if (state) state = edit.select(state, err.violations[0]?.object_id ?? null);
}

/** Shows what lint doubts of what was submitted, the worst first: it counts once each finding is fixed or kept for a reason. */
function asked(findings: readonly Finding[]): void {
  const worst = findings[0];
  if (!state || !worst) return;
  const s = edit.select(edit.ask(state, findings), worst.object_id ?? null);
  state = s;
  session.edited(() => edit.annotation(state ?? s)); // a reload of the page goes on with the same findings
  const n = findings.length;
  page.reason.textContent = `Not submitted yet: lint doubts ${n === 1 ? "a label" : `${n} labels`}. Fix (x), or keep and say why (k).`;
  lookAt(worst);
}

const lookAt = (f: Finding): void => canvas.focus(f.fix ? around(f.box, f.fix) : f.box);

function look(f: Finding): void {
  lookAt(f);
  apply((s) => edit.select(s, f.object_id ?? null));
}

const reasons = ["The label is right", "The guidelines want it so", "Nobody could tell"];

async function keep(f: Finding): Promise<void> {
  const own = el("input", { maxLength: 300, placeholder: "or in your own words", ariaLabel: "Reason in your own words", autocomplete: "off" });
  const choices = reasons.map((text, i) => ({ text, value: text, primary: i === 0 }));
  const choice = await ask("Why is the label right?", [el("p", { textContent: f.why }), own], choices);
  const reason = own.value.trim() || choice;
  if (choice !== "") apply((s) => edit.keep(s, f, reason));
}

const panel: PanelCallbacks = {
  look,
  hover: (f) => canvas.point(f?.fix ?? f?.box ?? null), // a suggested box is shown before it is taken
  fix: (f) => apply((s) => edit.applyFix(s, f, defaultClass())),
  keep: (f) => void keep(f),
  doubtAgain: (f) => apply((s) => edit.doubtAgain(s, f)),
  select: (id) => apply((s) => edit.select(s, id)),
  remove: (id) => apply((s) => edit.remove(s, id)),
  setClass: (id, cls) => {
    lastClass = cls.trim() || lastClass;
    apply((s) => edit.setClass(s, id, cls));
  },
  setAttribute: (id, name, value) => apply((s) => edit.setAttribute(s, id, name, value)),
};

/** The one way by which the state changes: draws it, and saves it when the document is another. */
function apply(f: (s: edit.State) => edit.State): void {
  if (!state || busy) return;
  const before = state;
  state = f(before);
  if (state === before) return;
  render();
  if (state.doc !== before.doc) {
    const doc = state;
    session.edited(() => edit.annotation(state ?? doc));
  }
}

function render(): void {
  const s = state;
  canvas.setState(s, s ? open(s).map((d) => d.finding.box) : []);
  page.undo.disabled = !s || s.past.length === 0;
  page.redo.disabled = !s || s.future.length === 0;
  page.accept.disabled = page.skip.disabled = !s || busy;
  page.accept.textContent = s && edit.edited(s) ? "Submit" : "Accept";
  page.superpixels.ariaPressed = String(regionsShown);
  renderLevel();
  page.superpixels.disabled = !view?.urls.superpixels;
  if (!s) {
    page.findings.replaceChildren();
    page.objects.replaceChildren();
    return;
  }
  showFindings(page.findings, s, panel);
  showObjects(page.objects, s, view?.wanted ?? [], panel);
}

/** The class of a new box: the one given last, else the first on this image. */
const defaultClass = (): string => lastClass || imageClasses()[0] || "object";

function draw(box: Box): void {
  apply((s) => edit.add(s, box, defaultClass()));
  typeClass();
}

const typeClass = (): void => page.objects.querySelector<HTMLInputElement>(".selected input")?.focus();

async function next(wanted = ""): Promise<void> {
  await working("Loading…", async () => {
    for (;;) {
      try {
        view = await signedIn(api, () => session.next(queue, wanted));
      } catch (err) {
        if (!wanted || !(err instanceof ApiError)) throw err;
        page.saved.textContent = `${err.message}; taking another task`;
        wanted = "";
        continue;
      }
      wanted = "";
      void progress();
      if (view) break;
      state = null;
      page.title.textContent = "All done";
      page.reason.textContent = "";
      render();
      say("Nothing is left to label.", "New images appear here by themselves.");
      await new Promise((done) => setTimeout(done, 3000));
    }
    await show(view);
  });
}

async function show(v: TaskView): Promise<void> {
  const size = { w: v.sample.image.w, h: v.sample.image.h };
  state = edit.start(v.sample, v.sample.findings ?? [], v.draft ?? null, size);
  regions = null;
  sessionStorage.setItem(current, v.task.id);
  page.title.textContent = v.sample.unique_id || v.sample.id;
  page.title.title = `${v.sample.dataset} · sample ${v.sample.id} · ${size.w} × ${size.h}`;
  page.reason.textContent = v.task.reason;
  page.saved.textContent = v.draft ? "Draft restored" : "";
  page.classes.replaceChildren(...v.classes.map((c) => el("option", { value: c })));
  const image = new Image();
  image.src = v.urls.image;
  try {
    await image.decode();
    canvas.load(image);
    say("");
  } catch {
    canvas.load(null);
    say("This browser cannot show the image.", `Its format is ${v.sample.image.media_type}. Skip it, or convert it at the producer.`);
  }
  render();
  canvas.fit();
  page.canvas.focus();
  if (regionsShown) void showRegions(); // nobody waits for them
  void prefetch(v.task.id);
}

/** Loads the picture of the likely next task into the browser's cache. */
async function prefetch(current: string): Promise<void> {
  const tasks = await api.tasks("open", 2, queue).catch(() => []);
  const likely = tasks.find((t) => t.id !== current);
  if (likely) new Image().src = `/api/samples/${likely.sample_id}/image`;
}

async function progress(): Promise<void> {
  const all = (await api.queues().catch(() => [])).filter((q) => queue === "" || q.queue === queue);
  const sum = (f: (q: (typeof all)[number]) => number): number => all.reduce((n, q) => n + f(q), 0);
  const done = sum((q) => q.submitted);
  const total = done + sum((q) => q.open + q.claimed);
  page.progress.max = Math.max(total, 1);
  page.progress.value = done;
  page.count.textContent = `${done} of ${total} done`;
}

async function accept(): Promise<void> {
  (document.activeElement as HTMLElement | null)?.blur(); // lets a class being typed take effect
  const s = state;
  if (!s || busy) return;
  if (await locked("Submitting…", () => session.submit(edit.annotation(s)))) await leave();
  else page.findings.querySelector<HTMLElement>(".asked.open")?.focus();
}

async function skip(): Promise<void> {
  if (state && !busy && (await locked("Releasing…", () => session.skip()))) await leave();
}

async function leave(): Promise<void> {
  sessionStorage.removeItem(current);
  await next();
}

/** Draws the superpixels of the level that the person likes, or none. */
async function showRegions(): Promise<void> {
  const v = view;
  localStorage.setItem(shownSlot, regionsShown ? "on" : "off");
  if (regionsShown && v?.urls.superpixels && !regions) {
    const { w, h } = v.sample.image;
    try {
      const map = decode(await api.bytes(v.urls.superpixels), w * h);
      if (v !== view) return; // the person has gone on to another task
      regions = new Regions(map);
    } catch {
      if (v !== view) return;
      page.saved.textContent = "The superpixels cannot be shown";
    }
  }
  regions?.setLevel(Number(localStorage.getItem(levelSlot)));
  canvas.showRegions(regionsShown ? regions : null);
  render();
}

/** Makes the superpixels coarser or finer, and shows them. */
async function changeLevel(by: number): Promise<void> {
  if (!view?.urls.superpixels) return;
  if (regionsShown && regions) {
    const level = Math.min(Math.max(regions.level + by, 0), regions.counts.length - 1);
    localStorage.setItem(levelSlot, String(level));
  }
  regionsShown = true;
  await showRegions();
}

function renderLevel(): void {
  page.granularity.hidden = !regionsShown || !regions;
  if (!regions) return;
  const { level, counts } = regions;
  page.level.textContent = `Level ${level + 1} of ${counts.length}: ${counts[level]} superpixels`;
  page.finer.disabled = level === 0;
  page.coarser.disabled = level === counts.length - 1;
}

/** Lets the person choose what to do when another version of the task is current. */
async function resolve(err: ApiError): Promise<void> {
  const newer = err.task;
  const mine = newer?.state === "claimed" && newer.holder === actor();
  const choices = mine
    ? [{ text: "Load the newer version", value: "load", primary: true }, { text: "Keep mine", value: "keep" }]
    : [{ text: "Claim it again, with my boxes", value: "claim", primary: true }, { text: "Take the next task", value: "next" }];
  const text = mine
    ? "This task was changed elsewhere, perhaps in another tab of yours. Your boxes are kept: after loading the newer version, Undo brings them back."
    : "The task is no longer yours: your claim ran out, or somebody finished it. Your boxes stay in this page until you leave the task.";
  const choice = await ask("Another version is current", [el("p", { textContent: err.message }), el("p", { textContent: text })], choices);
  const own = state;
  const id = view?.task.id;
  if (!own || id === undefined || choice === "next") return leave();
  if (choice === "") return; // dismissed: the next change asks again
  if (choice === "keep" && newer) session.adopt(newer);
  else {
    await working("Loading…", async () => {
      view = choice === "load" ? await api.task(id) : await session.next(queue, id);
      if (!view) return;
      session.adopt(view.task);
      await show(view);
      if (state) state = choice === "load" ? { ...state, past: [own.doc] } : edit.change(state, own.doc);
    });
  }
  if (choice !== "load") session.edited(() => edit.annotation(state ?? own));
}

/** Runs while the editor takes no input; what goes wrong is said with a way out. */
async function working(text: string, job: () => Promise<void>): Promise<void> {
  try {
    await locked(text, job);
  } catch (err) {
    say(...explain(err), { text: "Try again", act: () => void next() });
  }
}

async function locked<T>(text: string, job: () => Promise<T>): Promise<T> {
  busy = true;
  page.saved.textContent = text;
  render();
  try {
    return await job();
  } finally {
    busy = false;
    if (page.saved.textContent === text) page.saved.textContent = "";
    render();
  }
}

function say(title: string, text = "", button?: { text: string; act: () => void }): void {
  page.message.hidden = title === "";
  page.message.replaceChildren(el("h2", { textContent: title }), el("p", { textContent: text }));
  if (button) {
    const b = el("button", { textContent: button.text, className: "primary" });
    b.addEventListener("click", button.act);
    page.message.append(b);
  }
}

function explain(err: unknown): [string, string] {
  if (err instanceof ApiError) return [err.message, err.whatToDo];
  return ["The server cannot be reached.", "Your boxes stay on this page. Check the network or ask whoever runs the server."];
}

const keys: [string, string, () => void][] = [
  ["n", "accept or submit, and take the next", () => void accept()],
  ["r", "skip: release the task and take another", () => void skip()],
  ["j", "look at the next open finding", nextDoubt],
  ["x", "apply the fix of the first open finding", fixFirst],
  ["k", "keep the label of the first open finding that may be kept, and say why", keepFirst],
  ["d", "delete the selected box (also Delete)", () => apply((s) => (s.selected === null ? s : edit.remove(s, s.selected)))],
  ["z", "undo (also Ctrl+Z)", () => apply(edit.undo)],
  ["y", "redo (also Ctrl+Y)", () => apply(edit.redo)],
  ["s", "superpixels on or off", toggleRegions],
  ["[", "finer superpixels (also Shift and the wheel)", () => void changeLevel(-1)],
  ["]", "coarser superpixels (also Shift and the wheel)", () => void changeLevel(1)],
  ["f", "fit the image", () => canvas.fit()],
  ["Tab", "select the next box", () => apply(cycle)],
  ["c", "type the class of the selected box", typeClass],
  ["1–9", "class by its place among this image's classes", () => undefined],
  ["Arrows", "move the selected box by a pixel, with Shift by ten", () => undefined],
  ["Esc", "let go", () => void (canvas.cancel() || apply((s) => edit.select(s, null)))],
  ["?", "this help", () => void help()],
];

const open = (s: edit.State): readonly edit.Doubt[] => s.doubts.filter((d) => edit.standing(s, d) === "open");

/** Moves the focus to the next open finding, and shows its place. */
function nextDoubt(): void {
  const rows = [...page.findings.querySelectorAll<HTMLElement>(".finding.open")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = (at + 1) % rows.length;
  const doubt = state ? open(state)[next] : undefined;
  if (!doubt) return;
  look(doubt.finding);
  page.findings.querySelectorAll<HTMLElement>(".finding.open")[next]?.focus();
}

/** The open finding that has the focus, else the first. */
function doubtAtHand(s: edit.State): edit.Doubt | undefined {
  const rows = [...page.findings.querySelectorAll<HTMLElement>(".finding.open")];
  return open(s)[Math.max(rows.indexOf(document.activeElement as HTMLElement), 0)];
}

function fixFirst(): void {
  apply((s) => {
    const at = doubtAtHand(s);
    const d = at && edit.fixName(s, at.finding) !== null ? at : open(s).find((o) => edit.fixName(s, o.finding) !== null);
    return d ? edit.applyFix(s, d.finding, defaultClass()) : s;
  });
}

function keepFirst(): void {
  const s = state;
  if (!s || busy) return;
  const at = doubtAtHand(s);
  const d = at && edit.keepable(s, at) ? at : open(s).find((o) => edit.keepable(s, o));
  if (d) void keep(d.finding);
}

function toggleRegions(): void {
  regionsShown = !regionsShown;
  void showRegions();
}

function cycle(s: edit.State): edit.State {
  const ids = s.doc.objects.map((o) => o.id);
  const i = s.selected === null ? -1 : ids.indexOf(s.selected);
  return edit.select(s, ids[(i + 1) % ids.length] ?? null);
}

async function help(): Promise<void> {
  const rows = keys.map(([key, what]) => el("tr", {}, el("td", {}, el("kbd", { textContent: key })), el("td", { textContent: what })));
  const mouse = el("p", { textContent: "Drag on the image to draw a box, click a box to select it, drag its inside or edges to change it. Shift-drag draws over a selected box. The wheel zooms, the right button pans; with Shift, the wheel makes superpixels finer or coarser." });
  await ask("Keys", [mouse, el("table", {}, ...rows)], [{ text: "Close", value: "", primary: true }]);
}

const arrows: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function keydown(e: KeyboardEvent): void {
  if (document.querySelector("dialog[open]")) return;
  const typing = e.target instanceof HTMLInputElement;
  if (typing) {
    if (e.key === "Enter" || e.key === "Escape") page.canvas.focus();
    return;
  }
  if (e.altKey || e.metaKey || (e.ctrlKey && !/^[zy]$/i.test(e.key))) return;
  const names: Record<string, string> = { Delete: "d", Backspace: "d", Escape: "Esc", Z: "y" };
  const name = names[e.key] ?? (e.key.length === 1 ? e.key.toLowerCase() : e.key);
  if (name === "Tab" && (e.shiftKey || e.target !== page.canvas)) return; // elsewhere Tab moves the focus
  const step = arrows[e.key];
  if (step) {
    const k = e.shiftKey ? 10 : 1;
    apply((s) => {
      const o = s.selected === null ? undefined : edit.find(s, s.selected);
      if (!o) return s;
      const b = { x1: o.box.x1 + step[0] * k, y1: o.box.y1 + step[1] * k, x2: o.box.x2 + step[0] * k, y2: o.box.y2 + step[1] * k };
      const fits = b.x1 >= 0 && b.y1 >= 0 && b.x2 <= s.size.w && b.y2 <= s.size.h;
      return fits ? edit.setBox(s, o.id, b) : s;
    });
  } else if (/^[1-9]$/.test(e.key)) {
    const cls = imageClasses()[Number(e.key) - 1];
    if (cls !== undefined && state?.selected != null) panel.setClass(state.selected, cls);
  } else {
    const hit = keys.find(([key]) => key === name);
    if (!hit) return;
    hit[2]();
  }
  e.preventDefault();
}

/** The classes that the number keys mean: those on this image first, in order of first appearance, then the others. */
function imageClasses(): string[] {
  const seen = [...(view?.sample.objects ?? []), ...(state?.doc.objects ?? [])].map((o) => o.class);
  return [...new Set([...seen, ...(view?.classes ?? [])])];
}

async function main(): Promise<void> {
  page.accept.addEventListener("click", () => void accept());
  page.skip.addEventListener("click", () => void skip());
  page.undo.addEventListener("click", () => apply(edit.undo));
  page.redo.addEventListener("click", () => apply(edit.redo));
  page.superpixels.addEventListener("click", toggleRegions);
  page.finer.addEventListener("click", () => void changeLevel(-1));
  page.coarser.addEventListener("click", () => void changeLevel(1));
  page.fit.addEventListener("click", () => canvas.fit());
  page.help.addEventListener("click", () => void help());
  page.who.addEventListener("click", () => void askName().then(() => location.reload()));
  document.addEventListener("keydown", keydown);
  render();
  warmUp();
  if (actor() === "") await askName();
  page.who.textContent = actor();
  await next(params.get("task") ?? sessionStorage.getItem(current) ?? "");
}

void main();

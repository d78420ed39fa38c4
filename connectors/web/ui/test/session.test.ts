import assert from "node:assert/strict";
import test from "node:test";
import { Api, ApiError } from "../src/api";
import { Session } from "../src/session";
import type { TaskView } from "../src/types";

/** A desk of one queue that keeps versions as the real one does: each claim and save makes a new one. */
class Desk {
  log: string[] = [];
  refuse = false;
  private readonly versions = new Map<string, number>();
  constructor(private readonly open: string[]) {}

  answer(path: string, init: RequestInit): Promise<Response> {
    const body = init.body ? (JSON.parse(init.body as string) as { version?: number; task_id?: string }) : {};
    const reply = (status: number, value: unknown): Promise<Response> =>
      Promise.resolve(new Response(status === 204 ? null : JSON.stringify(value), { status }));
    if (path.startsWith("/api/tasks?")) return reply(200, { tasks: this.open.map((id) => ({ id })) });
    const claiming = path === "/api/tasks/claim";
    const id = claiming ? (body.task_id ?? this.open[0]) : path.split("/")[3];
    if (id === undefined) return reply(204, null);
    const version = this.versions.get(id) ?? 0;
    const what = path.split("/").at(-1) ?? "";
    if (!claiming && (this.refuse || body.version !== version)) return reply(409, { error: "stale", what_to_do: "load" });
    this.log.push(`${what} ${id}@${version}`);
    this.versions.set(id, version + (what === "renew" ? 0 : 1));
    if (what === "release") this.open.unshift(id);
    if (claiming) this.open.splice(this.open.indexOf(id), 1);
    const task = { id, version: this.versions.get(id), lease: new Date(Date.now() + 600_000).toISOString() };
    return reply(200, claiming ? { task } : { verdict: "applied", task });
  }
}

function start(desk: Desk): { session: Session; conflicts: ApiError[]; said: string[] } {
  const conflicts: ApiError[] = [];
  const said: string[] = [];
  const api = new Api(() => "a", (p, i) => desk.answer(p, i), () => Promise.resolve());
  const session = new Session(api, {
    saving: (t) => said.push(t),
    conflict: (e) => conflicts.push(e),
    failed: (e) => {
      throw e;
    },
  });
  return { session, conflicts, said };
}

const id = (v: TaskView | null): string | undefined => v?.task.id;

test("commands go one after the other, each with the version of the one before", async () => {
  const desk = new Desk(["t1"]);
  const { session, conflicts, said } = start(desk);
  await session.next("");
  session.edited(() => ({ objects: [] }));
  await new Promise((done) => setTimeout(done, 900)); // the draft goes once the person rests
  session.edited(() => ({ objects: [] }));
  assert.equal(await session.submit({ objects: [] }), true); // takes the place of the draft that waits
  assert.deepEqual([desk.log, conflicts], [["claim t1@0", "draft t1@1", "submit t1@2"], []]);
  assert.ok(said.includes("Draft saved"));
  assert.equal(await session.next(""), null);
});

test("a skipped task does not come next, but comes again in the end", async () => {
  const { session } = start(new Desk(["t1", "t2"]));
  assert.equal(id(await session.next("")), "t1");
  assert.equal(await session.skip(), true);
  assert.equal(id(await session.next("")), "t2");
  assert.equal(await session.submit({ objects: [] }), true);
  assert.equal(id(await session.next("")), "t1");
  await session.next(""); // lets go of the timer
});

test("a conflict is told once and stops nothing else", async () => {
  const desk = new Desk(["t1"]);
  const { session, conflicts } = start(desk);
  const view = await session.next("");
  desk.refuse = true;
  assert.equal(await session.submit({ objects: [] }), false);
  assert.equal(conflicts.length, 1);
  desk.refuse = false;
  session.adopt(view?.task ?? null);
  assert.equal(await session.submit({ objects: [] }), true);
  await session.next("");
});

test("the lease is renewed while the person thinks, and again after that", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const desk = new Desk(["t1"]);
  const { session } = start(desk);
  await session.next("");
  for (let i = 0; i < 2; i++) {
    t.mock.timers.tick(200_000); // a third of the lease
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  }
  assert.deepEqual(desk.log, ["claim t1@0", "renew t1@1", "renew t1@1"]);
  await session.next("");
});

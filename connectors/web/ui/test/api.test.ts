import assert from "node:assert/strict";
import test from "node:test";
import { Api, ApiError } from "../src/api";
import type { Task } from "../src/types";

interface Sent {
  path: string;
  init: RequestInit;
}

/** An Api whose answers are given; a null answer is a broken connection. */
function scripted(...answers: (Response | null)[]): { api: Api; sent: Sent[]; pauses: number[] } {
  const sent: Sent[] = [];
  const pauses: number[] = [];
  const api = new Api(
    () => "Zoë",
    (path, init) => {
      sent.push({ path, init });
      const a = answers.shift();
      return a ? Promise.resolve(a) : Promise.reject(new TypeError("network"));
    },
    (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
  );
  return { api, sent, pauses };
}

const json = (status: number, value: unknown): Response => new Response(JSON.stringify(value), { status });
const header = (s: Sent | undefined, name: string): string | undefined => (s?.init.headers as Record<string, string>)[name];
const task = { id: "a/b", version: 3 } as Task;

test("a command of unknown outcome is sent again with the same key", async () => {
  const { api, sent, pauses } = scripted(null, json(503, { error: "unknown", what_to_do: "retry" }), json(200, { verdict: "applied" }));
  assert.deepEqual(await api.renew(task), { verdict: "applied" });
  const keys = sent.map((s) => header(s, "Idempotency-Key"));
  assert.match(keys[0] ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual(keys, [keys[0], keys[0], keys[0]]);
  assert.deepEqual(pauses, [500, 1000]);
});

test("a refusal is not sent again and says what to do", async () => {
  const { api, sent } = scripted(json(409, { error: "stale", what_to_do: "load", verdict: "stale", task: { id: "a/b", version: 4 } }));
  await assert.rejects(api.submit(task, { objects: [] }), (err: unknown) => {
    assert.ok(err instanceof ApiError);
    assert.deepEqual([err.status, err.message, err.whatToDo, err.verdict, err.task?.version], [409, "stale", "load", "stale", 4]);
    return true;
  });
  assert.equal(sent.length, 1);
});

test("a submission against the dataset's rules says each of them", async () => {
  const violations = [{ object_id: "h1", rule: "min_size", message: "The box is too small.", severity: "error" }];
  const { api } = scripted(json(422, { error: "rules", what_to_do: "correct", violations }));
  await assert.rejects(api.submit(task, { objects: [] }), (err: unknown) => err instanceof ApiError && err.violations[0]?.rule === "min_size");
});

test("a submission that lint doubts says what", async () => {
  const findings = [{ type: "missing", box: { x1: 1, y1: 1, x2: 9, y2: 9 }, score: 0.8, why: "A car is here." }];
  const { api } = scripted(json(422, { error: "lint doubts this", what_to_do: "correct", findings }));
  await assert.rejects(api.submit(task, { objects: [] }), (err: unknown) => err instanceof ApiError && err.findings[0]?.why === "A car is here.");
});

test("it gives up in the end", async () => {
  const { api, sent } = scripted();
  await assert.rejects(api.claim({}), TypeError);
  assert.equal(sent.length, 5);
});

test("two commands have two keys, names go encoded, ids cannot leave their place in the path", async () => {
  const { api, sent } = scripted(json(200, {}), json(200, {}));
  await api.release(task);
  await api.release(task);
  assert.notEqual(header(sent[0], "Idempotency-Key"), header(sent[1], "Idempotency-Key"));
  assert.equal(header(sent[0], "X-Actor"), "Zo%C3%AB");
  assert.equal(sent[0]?.path, "/api/tasks/a%2Fb/release");
});

test("nothing to claim is null, and an answer that is not JSON is an error", async () => {
  const { api } = scripted(new Response(null, { status: 204 }), new Response("<html>", { status: 502 }));
  assert.equal(await api.claim({}), null);
  await assert.rejects(api.queues(), (err: unknown) => err instanceof ApiError && err.status === 502);
});

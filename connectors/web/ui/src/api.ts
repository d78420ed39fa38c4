// Calls to the server. Every command carries an Idempotency-Key, so that a retry after a lost answer cannot take effect twice.

import type { Acceptance, Annotation, Finding, Outcome, QueueCount, Status, Task, TaskView, Violation } from "./types";

/** An answer that is not a success: what went wrong and what the person can do. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly whatToDo: string,
    readonly verdict?: string,
    readonly task?: Task,
    readonly violations: readonly Violation[] = [],
    readonly findings: readonly Finding[] = [],
  ) {
    super(message);
  }
}

type Fetch = (path: string, init: RequestInit) => Promise<Response>;

export class Api {
  constructor(
    private readonly actor: () => string,
    private readonly send: Fetch = (path, init) => fetch(path, init),
    private readonly pause: (ms: number) => Promise<void> = (ms) => new Promise((done) => setTimeout(done, ms)),
  ) {}

  /** null when there is nothing to claim. */
  claim(want: { queue?: string; task_id?: string }): Promise<TaskView | null> {
    return this.command("POST", "/api/tasks/claim", want);
  }
  renew(t: Task): Promise<Outcome | null> {
    return this.command("POST", `${path(t)}/renew`, { version: t.version });
  }
  release(t: Task): Promise<Outcome | null> {
    return this.command("POST", `${path(t)}/release`, { version: t.version });
  }
  draft(t: Task, annotation: Annotation): Promise<Outcome | null> {
    return this.command("PUT", `${path(t)}/draft`, { version: t.version, annotation });
  }
  submit(t: Task, annotation: Annotation): Promise<Outcome | null> {
    return this.command("POST", `${path(t)}/submit`, { version: t.version, annotation });
  }
  async task(id: string): Promise<TaskView> {
    return (await this.request("GET", `/api/tasks/${encodeURIComponent(id)}`)) as TaskView;
  }
  async tasks(state: string, limit: number, queue = ""): Promise<Task[]> {
    const q = new URLSearchParams({ state, limit: String(limit), ...(queue ? { queue } : {}) });
    return ((await this.request("GET", `/api/tasks?${q}`)) as { tasks: Task[] }).tasks;
  }
  async queues(): Promise<QueueCount[]> {
    return ((await this.request("GET", "/api/queues")) as { queues: QueueCount[] }).queues;
  }
  async status(): Promise<Status> {
    return (await this.request("GET", "/api/status")) as Status;
  }
  async acceptance(): Promise<Acceptance[]> {
    return ((await this.request("GET", "/api/acceptance")) as { datasets: Acceptance[] }).datasets;
  }
  async links(): Promise<Record<string, string>> {
    return (await this.request("GET", "/api/links")) as Record<string, string>;
  }
  /** Bytes that never change under their address. */
  async bytes(path: string): Promise<Uint8Array> {
    const answer = await this.send(path, { method: "GET" });
    if (!answer.ok) throw new ApiError(answer.status, `status ${answer.status}`, "try again");
    return new Uint8Array(await answer.arrayBuffer());
  }
  async signIn(token: string): Promise<void> {
    await this.request("POST", "/api/session", { token });
  }

  /** Sends a command until its outcome is known, for as long as the desk would still take it. */
  private async command<T>(method: string, path: string, body: unknown): Promise<T | null> {
    const key = randomKey();
    for (let attempt = 0; ; attempt++) {
      try {
        return (await this.request(method, path, body, key)) as T | null;
      } catch (err) {
        const unknown = !(err instanceof ApiError) || err.status === 503;
        if (!unknown || attempt === 4) throw err;
        await this.pause(500 * 2 ** attempt);
      }
    }
  }

  private async request(method: string, path: string, body?: unknown, key?: string): Promise<unknown> {
    const headers: Record<string, string> = { "X-Actor": encodeURIComponent(this.actor()) };
    if (key !== undefined) headers["Idempotency-Key"] = key;
    const init: RequestInit = { method, headers, cache: "no-store" };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    const answer = await this.send(path, init);
    if (answer.status === 204) return null;
    const text = await answer.text();
    let value: { error?: string; what_to_do?: string; verdict?: string; task?: Task; violations?: Violation[]; findings?: Finding[] };
    try {
      value = JSON.parse(text) as typeof value;
    } catch {
      value = { error: `the server answered ${answer.status} without JSON`, what_to_do: "try again" };
    }
    if (answer.ok) return value;
    const { error = `status ${answer.status}`, what_to_do: whatToDo = "try again", verdict, task, violations, findings } = value;
    throw new ApiError(answer.status, error, whatToDo, verdict, task, violations, findings);
  }
}

const path = (t: Task): string => `/api/tasks/${encodeURIComponent(t.id)}`;

/** 128 random bits in hex. crypto.randomUUID is absent where the page is not served over TLS or from this machine. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

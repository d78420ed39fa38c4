// One person's work on one task after another: claims, keeps the lease alive, saves drafts, submits. Commands go one after the
// other, each with the version that the one before left, so that a person never conflicts with themselves.

import { ApiError, type Api } from "./api";
import type { Annotation, Outcome, Task, TaskView } from "./types";

export interface SessionCallbacks {
  saving(text: string): void; // what the status line says
  conflict(err: ApiError): void; // another version of the task is current, or it is no longer ours
  failed(err: unknown): void;
}

const draftDelay = 800; // milliseconds of rest after an edit

export class Session {
  private task: Task | null = null;
  private queue: Promise<unknown> = Promise.resolve();
  private draftTimer = 0;
  private renewTimer = 0;
  private readonly skipped = new Set<string>();

  constructor(
    private readonly api: Api,
    private readonly on: SessionCallbacks,
  ) {}

  /** Claims the wanted task, else the first one that this person has not skipped. null: nothing is left. */
  async next(queue: string, wanted = ""): Promise<TaskView | null> {
    this.drop();
    const view = wanted ? await this.api.claim({ task_id: wanted }) : await this.unskipped(queue);
    this.adopt(view?.task ?? null);
    return view;
  }

  private async unskipped(queue: string): Promise<TaskView | null> {
    if (this.skipped.size === 0) return this.api.claim(queue ? { queue } : {});
    for (const t of await this.api.tasks("open", this.skipped.size + 20, queue)) {
      if (this.skipped.has(t.id)) continue;
      try {
        return await this.api.claim({ task_id: t.id });
      } catch (err) {
        if (!(err instanceof ApiError) || (err.status !== 409 && err.status !== 404)) throw err; // else someone was faster
      }
    }
    this.skipped.clear(); // all that is left was skipped: offer it again
    return this.api.claim(queue ? { queue } : {});
  }

  /** Takes over a newer version of the task, after a conflict. */
  adopt(task: Task | null): void {
    this.task = task;
    clearTimeout(this.renewTimer);
    if (!task) return;
    const left = Date.parse(task.lease ?? "") - Date.now();
    const wait = Math.min(Math.max(Number.isFinite(left) ? left / 3 : 60_000, 2_000), 300_000);
    this.renewTimer = setTimeout(() => void this.run((t) => this.api.renew(t)), wait);
  }

  /** Saves the annotation once the person rests. */
  edited(annotation: () => Annotation): void {
    clearTimeout(this.draftTimer);
    this.on.saving("Editing…");
    this.draftTimer = setTimeout(() => {
      this.on.saving("Saving draft…");
      void this.run((t) => this.api.draft(t, annotation())).then((ok) => ok && this.on.saving("Draft saved"));
    }, draftDelay);
  }

  /** Resolves to true when the desk has it. */
  submit(annotation: Annotation): Promise<boolean> {
    clearTimeout(this.draftTimer);
    return this.run((t) => this.api.submit(t, annotation));
  }

  async skip(): Promise<boolean> {
    clearTimeout(this.draftTimer);
    const id = this.task?.id;
    const ok = await this.run((t) => this.api.release(t));
    if (ok && id !== undefined) this.skipped.add(id);
    return ok;
  }

  private drop(): void {
    clearTimeout(this.draftTimer);
    this.adopt(null);
  }

  private run(command: (t: Task) => Promise<Outcome | null>): Promise<boolean> {
    const claimed = this.task?.id;
    const result = this.queue.then(async () => {
      const task = this.task;
      if (!task || task.id !== claimed) return false; // it was for a task that is done
      try {
        const out = await command(task);
        if (this.task?.id === claimed && out?.task) this.adopt(out.task);
        return true;
      } catch (err) {
        clearTimeout(this.draftTimer);
        this.on.saving("Not saved");
        if (err instanceof ApiError && (err.status === 409 || err.status === 404 || err.status === 410)) {
          clearTimeout(this.renewTimer);
          this.on.conflict(err);
        } else {
          this.adopt(this.task); // keeps trying to renew
          this.on.failed(err);
        }
        return false;
      }
    });
    this.queue = result;
    return result;
  }
}

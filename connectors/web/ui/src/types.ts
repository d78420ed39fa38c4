// The shapes that the API speaks, as schemas/ and connectors/web declare them in Go. Boxes are in pixels of the upright image.

import type { Box } from "./geometry";

export interface Obj {
  id: string;
  class: string;
  box: Box;
  score?: number;
  source: string;
  refine?: boolean; // class is only a super-class of what is wanted
  attributes?: Readonly<Record<string, string>>;
}

/** What a dataset's rules say of one class, as far as the page needs it. */
export interface ObjectRule {
  class: string;
  attributes?: { name: string; values?: string[]; required?: boolean }[];
  occlusion?: { policy?: string };
  truncation?: string;
}

/** A submitted object, or all of them together, against a rule of the dataset. */
export interface Violation {
  object_id?: string;
  rule: string;
  message: string;
  severity: string;
}

export interface Finding {
  type: string;
  object_id?: string;
  class?: string;
  box: Box;
  score: number;
  prior?: number; // score before what was learned of reviewers
  why: string;
  fix?: Box;
  fix_class?: string;
}

/** A finding in spite of which a person keeps the label: all but the reason is the finding's. */
export interface Override {
  type: string;
  object_id?: string;
  class?: string;
  box?: Box;
  why?: string;
  reason: string;
}

export interface Annotation {
  objects: readonly Obj[];
  overrides?: readonly Override[];
  findings?: readonly Finding[]; // the server's: that submissions of this work were answered with
}

export interface Sample {
  id: string;
  dataset: string;
  unique_id?: string;
  image: { sha256: string; w: number; h: number; media_type: string };
  objects: Obj[];
  findings?: Finding[];
}

export interface Task {
  id: string;
  sample_id: string;
  dataset: string;
  unique_id?: string;
  queue: string;
  priority: number;
  reason: string;
  state: string;
  version: number;
  round: number;
  holder?: string;
  lease?: string;
}

export interface TaskView {
  task: Task;
  sample: Sample;
  draft?: Annotation;
  result?: Annotation;
  classes: string[];
  wanted?: ObjectRule[];
  urls: { image: string; superpixels?: string };
}

export interface Outcome {
  command_id: string;
  verdict: string;
  reason?: string;
  task?: Task;
}

export interface QueueCount {
  queue: string;
  open: number;
  claimed: number;
  submitted: number;
  canceled: number;
}

export interface StepStatus {
  step: string;
  state: string;
  in: number;
  out: number;
  rejected: number;
  dead: number;
  lag: number;
  in_flight: number;
  rate: number;
  p50_ms: number;
  p95_ms: number;
  last_error?: string;
}

export interface BoundPoint {
  audits: number;
  bound: number;
}

/** The automatic acceptance of a dataset that states a target quality: schemas/acceptance.go. */
export interface Acceptance {
  dataset: string;
  state: "collecting" | "unproven" | "accepting" | "paused" | "withdrawn";
  target_quality: number;
  audit_share: number;
  outstanding: number;
  threshold: number;
  bound: number;
  audits: number;
  wrong: number;
  needed: number;
  at_least: number;
  share: number;
  total_audits: number;
  total_wrong: number;
  automatic: number;
  people: number;
  withdrawals?: string[];
  history?: BoundPoint[];
}

export interface Status {
  version: string;
  started: string;
  now: string;
  steps: StepStatus[];
}

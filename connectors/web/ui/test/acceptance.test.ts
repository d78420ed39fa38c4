import assert from "node:assert/strict";
import { test } from "node:test";
import { boundPath, saving, standing } from "../src/acceptance";
import type { Acceptance } from "../src/types";

const acceptance: Acceptance = {
  dataset: "street", state: "collecting", target_quality: 0.95, audit_share: 0.075, outstanding: 0, threshold: 0, bound: 1, audits: 0, wrong: 0,
  needed: 167, at_least: 59, share: 0, total_audits: 0, total_wrong: 0, automatic: 0, people: 0,
};

test("a bound is drawn from left to right, and cut at the top", () => {
  assert.equal(boundPath([], 0.2, 100, 50), "");
  assert.equal(boundPath([{ audits: 1, bound: 1 }, { audits: 50, bound: 0.1 }, { audits: 100, bound: 0.05 }], 0.2, 100, 50), "M1.0 0.0L50.0 25.0L100.0 37.5");
});

test("the sentence says what is missing until images are accepted", () => {
  assert.match(standing(acceptance), /167 more audits .* 59 being the least/);
  assert.match(standing({ ...acceptance, state: "unproven" }), /without evidence yet; 167 more/);
  assert.match(standing({ ...acceptance, state: "accepting", needed: 0, share: 0.7 }), /^70\.0 % of the images are accepted/);
});

test("the saving is the share of labels that no person has seen", () => {
  assert.equal(saving(acceptance), 0);
  assert.equal(saving({ ...acceptance, automatic: 30, people: 10 }), 0.75);
});

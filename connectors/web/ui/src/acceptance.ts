// What the landing page says of automatic acceptance: one card for each dataset that states a target quality, with a plot of the
// bound over audits.

import { el } from "./dom";
import type { Acceptance, BoundPoint } from "./types";

const number = new Intl.NumberFormat("en");
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A sentence on where a dataset stands. */
export function standing(a: Acceptance): string {
  const missing = a.needed > 0 ? `; ${number.format(a.needed)} more audits without an error are needed, ${number.format(a.at_least)} being the least there can be` : "";
  switch (a.state) {
    case "accepting":
      return `${percent(a.share)} of the images are accepted without a person`;
    case "unproven":
      return `accepted without a person from the configured threshold on, without evidence yet${missing}`;
    case "paused":
      return "paused: audits look suspicious or come too late, so people see everything until it is clear";
    case "withdrawn":
      return `withdrawn: audits showed a change, and what was accepted since went back to people${missing}`;
    default:
      return `nothing is accepted without a person yet${missing}`;
  }
}

/** The share of the labels that stand which no person has seen, [0,1]. */
export function saving(a: Acceptance): number {
  return a.automatic / Math.max(a.automatic + a.people, 1);
}

/** The path of a bound over audits in a box of this size: audits from left to right, rates from 0 below to `most` on top. */
export function boundPath(points: readonly BoundPoint[], most: number, width: number, height: number): string {
  const last = points.at(-1)?.audits ?? 0;
  const at = (p: BoundPoint): string => `${((p.audits / Math.max(last, 1)) * width).toFixed(1)} ${(height - (Math.min(p.bound, most) / most) * height).toFixed(1)}`;
  return points.length === 0 ? "" : `M${points.map(at).join("L")}`;
}

const width = 240; // of the plot, in its own units
const height = 60;

function plot(a: Acceptance): SVGSVGElement {
  const part = <K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string>): SVGElementTagNameMap[K] => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
    return e;
  };
  const limit = 1 - a.target_quality;
  const most = 4 * limit;
  const y = height - (limit / most) * height;
  const svg = part("svg", { viewBox: `0 0 ${width} ${height}`, class: "bound", role: "img" });
  const title = part("title", {});
  title.textContent = `bound of the error rate over ${a.total_audits} audits; the line is what is allowed, ${percent(limit)}`;
  svg.append(title, part("path", { class: "limit", d: `M0 ${y}L${width} ${y}` }), part("path", { class: "curve", d: boundPath(a.history ?? [], most, width, height) }));
  return svg;
}

/** The card of a dataset. */
export function acceptanceCard(a: Acceptance): HTMLElement {
  return el(
    "div", { className: "card acceptance" },
    el("h3", {}, el("span", { className: `dot ${a.state}`, title: a.state }), a.dataset),
    el("p", { textContent: standing(a) }),
    plot(a),
    el("p", { textContent: a.audits > 0 ? `at most ${percent(a.bound)} of them are wrong, ${percent(1 - a.target_quality)} are allowed` : `${percent(1 - a.target_quality)} may be wrong` }),
    el("p", { textContent: `${number.format(a.total_audits)} audits, ${number.format(a.total_wrong)} with an error, ${number.format(a.outstanding)} still to come · ${number.format(a.automatic)} tasks saved, ${percent(saving(a))}` }),
  );
}

// The image with its boxes on a canvas: draws the editor's state, and turns pointer movements into boxes. It changes nothing
// itself: what the person did is told to the callbacks.

import { classColor } from "./color";
import { el } from "./dom";
import { drag, fromCorners, handleAt, show, smallestAt, toImage, toScreen, zoomAt, type Box, type Handle, type Point, type View } from "./geometry";
import type { Patch, Regions } from "./regions";
import { find, type State } from "./state";

export interface Callbacks {
  drawn(box: Box): void;
  changed(id: string, box: Box): void;
  selected(id: string | null): void;
  coarser(levels: number): void; // or finer, when negative
}

type Gesture =
  | { kind: "draw"; from: Point; to: Point }
  | { kind: "edit"; id: string; handle: Handle; from: Point; before: Box; now: Box }
  | { kind: "pan"; at: Point };

const reach = 7; // CSS pixels around an edge that still grab it
const click = 4; // CSS pixels of movement below which a press is a click
const notch = 120; // milliseconds in which the wheel, turned one way, changes one level only

const cursors: Record<Handle, string> = {
  n: "ns-resize", s: "ns-resize", e: "ew-resize", w: "ew-resize",
  ne: "nesw-resize", sw: "nesw-resize", nw: "nwse-resize", se: "nwse-resize", move: "move",
};

/** Pixels to draw over a part of the image. */
interface Picture {
  box: Box;
  canvas: HTMLCanvasElement;
}

function picture(p: Patch): Picture {
  const canvas = el("canvas", { width: p.w, height: p.h });
  canvas.getContext("2d")?.putImageData(new ImageData(new Uint8ClampedArray(p.pixels.buffer), p.w, p.h), 0, 0);
  return { box: { x1: p.x, y1: p.y, x2: p.x + p.w, y2: p.y + p.h }, canvas };
}

export class Canvas {
  private readonly ctx: CanvasRenderingContext2D;
  private state: State | null = null;
  private image: HTMLImageElement | null = null;
  private regions: Regions | null = null;
  private borders: Picture | null = null; // of the regions
  private hovered = -1; // the region under the pointer
  private highlight: Picture | null = null;
  private turned = { way: 0, at: 0 }; // which way and when the wheel last changed the level
  private view: View = { scale: 1, x: 0, y: 0 };
  private gesture: Gesture | null = null;
  private marks: readonly Box[] = [];
  private pointed: Box | null = null;
  private pending = false;
  private untouched = true; // the person has not zoomed: a resize fits the image again

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly on: Callbacks,
  ) {
    const ctx = canvas.getContext("2d");
    if (!ctx) throw new Error("this browser has no 2D canvas");
    this.ctx = ctx;
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    canvas.addEventListener("pointerup", (e) => this.up(e));
    canvas.addEventListener("pointercancel", () => this.cancel());
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    canvas.addEventListener("contextmenu", (e) => e.preventDefault());
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  /** Shows another image, or none, and forgets the view of the one before. */
  load(image: HTMLImageElement | null): void {
    this.image = image;
    this.showRegions(null);
    this.gesture = null;
    this.pointed = null;
    this.fit();
  }

  setState(state: State | null, openFindings: readonly Box[]): void {
    this.state = state;
    this.marks = openFindings;
    this.draw();
  }

  /** Shows the borders of the regions' current level, or none. */
  showRegions(regions: Regions | null): void {
    this.regions = regions;
    this.borders = regions && picture(regions.borders());
    this.hovered = -1;
    this.highlight = null;
    this.draw();
  }

  /** Emphasizes a place, such as a finding under the pointer. */
  point(box: Box | null): void {
    this.pointed = box;
    this.draw();
  }

  fit(): void {
    this.untouched = true;
    const size = this.state?.size ?? { w: this.image?.naturalWidth ?? 1, h: this.image?.naturalHeight ?? 1 };
    this.view = show({ x1: 0, y1: 0, x2: size.w, y2: size.h }, this.screen(), 16, 8);
    this.draw();
  }

  /** Zooms to a box with some of what surrounds it. */
  focus(box: Box): void {
    this.untouched = false;
    const screen = this.screen();
    this.view = show(box, screen, Math.min(screen.w, screen.h) * 0.25, 8);
    this.draw();
  }

  /** Ends a gesture without effect; false when there was none. */
  cancel(): boolean {
    const was = this.gesture !== null;
    this.gesture = null;
    this.draw();
    return was;
  }

  private screen(): { w: number; h: number } {
    return { w: this.canvas.clientWidth, h: this.canvas.clientHeight };
  }

  private resize(): void {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.untouched) this.fit();
    else this.draw();
  }

  private down(e: PointerEvent): void {
    if (!this.state || this.gesture) return;
    this.canvas.focus();
    this.canvas.setPointerCapture(e.pointerId);
    const at = { x: e.offsetX, y: e.offsetY };
    const p = toImage(this.view, at);
    if (e.button === 1 || e.button === 2) {
      this.gesture = { kind: "pan", at };
      return;
    }
    const sel = this.state.selected === null ? undefined : find(this.state, this.state.selected);
    const handle = sel && !e.shiftKey ? handleAt(sel.box, p, reach / this.view.scale) : null;
    this.gesture = sel && handle ? { kind: "edit", id: sel.id, handle, from: p, before: sel.box, now: sel.box } : { kind: "draw", from: p, to: p };
  }

  private move(e: PointerEvent): void {
    if (!this.state) return;
    const at = { x: e.offsetX, y: e.offsetY };
    const p = toImage(this.view, at);
    const g = this.gesture;
    if (!g) {
      const sel = this.state.selected === null ? undefined : find(this.state, this.state.selected);
      const handle = sel ? handleAt(sel.box, p, reach / this.view.scale) : null;
      this.canvas.style.cursor = handle ? cursors[handle] : "crosshair";
      this.hover(p);
      return;
    }
    if (g.kind === "pan") {
      this.untouched = false;
      this.view = { ...this.view, x: this.view.x + at.x - g.at.x, y: this.view.y + at.y - g.at.y };
      g.at = at;
    } else if (g.kind === "draw") {
      g.to = p;
    } else {
      g.now = drag(g.before, g.handle, p.x - g.from.x, p.y - g.from.y, this.state.size);
    }
    this.draw();
  }

  private up(e: PointerEvent): void {
    const g = this.gesture;
    const s = this.state;
    this.gesture = null;
    if (!g || !s || g.kind === "pan") return;
    const p = toImage(this.view, { x: e.offsetX, y: e.offsetY });
    const moved = Math.hypot(p.x - g.from.x, p.y - g.from.y) * this.view.scale;
    if (moved < click) {
      const hit = s.doc.objects[smallestAt(s.doc.objects.map((o) => o.box), p)];
      this.on.selected(hit ? hit.id : null);
    } else if (g.kind === "draw") {
      this.on.drawn(fromCorners(g.from, p, s.size));
    } else {
      this.on.changed(g.id, drag(g.before, g.handle, p.x - g.from.x, p.y - g.from.y, s.size));
    }
    this.draw();
  }

  private hover(p: Point | null): void {
    const region = p && this.regions ? this.regions.find(p) : -1;
    if (region === this.hovered) return;
    this.hovered = region;
    this.highlight = this.regions && region >= 0 ? picture(this.regions.highlight(region)) : null;
    this.draw();
  }

  private wheel(e: WheelEvent): void {
    e.preventDefault();
    if (e.shiftKey) {
      const way = Math.sign(e.deltaY || e.deltaX); // with Shift, some systems turn it sideways
      if (way === 0 || (way === this.turned.way && e.timeStamp - this.turned.at < notch)) return;
      this.turned = { way, at: e.timeStamp };
      this.on.coarser(way);
      this.hover(toImage(this.view, { x: e.offsetX, y: e.offsetY }));
      return;
    }
    this.untouched = false;
    this.view = zoomAt(this.view, { x: e.offsetX, y: e.offsetY }, Math.exp(-e.deltaY * (e.deltaMode === 1 ? 0.05 : 0.0015)));
    this.draw();
  }

  /** Draws at most once a frame. */
  private draw(): void {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.paint();
    });
  }

  private paint(): void {
    const { ctx, state } = this;
    const ratio = window.devicePixelRatio || 1;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!state) return;
    const frame = toScreen(this.view, { x1: 0, y1: 0, x2: state.size.w, y2: state.size.h });
    ctx.imageSmoothingEnabled = this.view.scale < 2;
    if (this.image) ctx.drawImage(this.image, frame.x1, frame.y1, frame.x2 - frame.x1, frame.y2 - frame.y1);
    for (const p of [this.highlight, this.borders]) if (p) this.lay(p);
    for (const b of this.marks) this.mark(b, 1.5);
    const g = this.gesture;
    for (const o of state.doc.objects) {
      if (o.id !== state.selected) this.box(o.box, o.class, classColor(o.class), false);
    }
    const sel = state.selected === null ? undefined : find(state, state.selected);
    if (sel) this.box(g?.kind === "edit" ? g.now : sel.box, sel.class, classColor(sel.class), true);
    if (g?.kind === "draw") this.box(fromCorners(g.from, g.to, state.size), "", "#fff", false);
    if (this.pointed) this.mark(this.pointed, 4);
  }

  private lay(p: Picture): void {
    const b = toScreen(this.view, p.box);
    this.ctx.drawImage(p.canvas, b.x1, b.y1, b.x2 - b.x1, b.y2 - b.y1);
  }

  private box(image: Box, label: string, color: string, selected: boolean): void {
    const { ctx } = this;
    const b = toScreen(this.view, image);
    const w = b.x2 - b.x1;
    const h = b.y2 - b.y1;
    ctx.lineJoin = "round";
    ctx.strokeStyle = "rgb(0 0 0 / 0.55)"; // a dark rim keeps the line readable on bright ground
    ctx.lineWidth = selected ? 5 : 4;
    ctx.strokeRect(b.x1, b.y1, w, h);
    ctx.strokeStyle = color;
    ctx.lineWidth = selected ? 3 : 2;
    ctx.strokeRect(b.x1, b.y1, w, h);
    if (selected) {
      ctx.globalAlpha = 0.14;
      ctx.fillStyle = color;
      ctx.fillRect(b.x1, b.y1, w, h);
      ctx.globalAlpha = 1;
      for (const x of [b.x1, (b.x1 + b.x2) / 2, b.x2]) {
        for (const y of [b.y1, (b.y1 + b.y2) / 2, b.y2]) {
          if (x === (b.x1 + b.x2) / 2 && y === (b.y1 + b.y2) / 2) continue;
          ctx.fillStyle = "#fff";
          ctx.strokeStyle = "#000";
          ctx.lineWidth = 1;
          ctx.fillRect(x - 3.5, y - 3.5, 7, 7);
          ctx.strokeRect(x - 3.5, y - 3.5, 7, 7);
        }
      }
    }
    if (label !== "") this.tag(label, b, color);
  }

  private tag(label: string, b: Box, color: string): void {
    const { ctx } = this;
    ctx.font = "600 12px system-ui, sans-serif";
    const text = label.length > 40 ? label.slice(0, 39) + "…" : label;
    const w = ctx.measureText(text).width + 10;
    const above = b.y1 >= 20;
    const y = above ? b.y1 - 19 : Math.max(b.y1, 0) + 2;
    ctx.fillStyle = color;
    ctx.beginPath();
    ctx.roundRect(b.x1 - 1, y, w, 18, 4);
    ctx.fill();
    ctx.fillStyle = "#111";
    ctx.textBaseline = "middle";
    ctx.fillText(text, b.x1 + 4, y + 9.5);
  }

  private mark(image: Box, width: number): void {
    const { ctx } = this;
    const b = toScreen(this.view, image);
    ctx.setLineDash([7, 5]);
    for (const [style, extra] of [["rgb(0 0 0 / 0.6)", 2], ["#ff4d4f", 0]] as const) {
      ctx.strokeStyle = style;
      ctx.lineWidth = width + extra;
      ctx.strokeRect(b.x1 - 4, b.y1 - 4, b.x2 - b.x1 + 8, b.y2 - b.y1 + 8);
    }
    ctx.setLineDash([]);
  }
}

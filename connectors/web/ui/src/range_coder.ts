// The reading side of the binary range coder of schemas/labelmap.

const unwritten = 3; // bytes at the end of a stream, which are 0

/** Models of even chances: a probability that a bit is 1, in 1/2^15, and in the low six bits what it rests on. */
export const freshModels = (n: number): Int32Array<ArrayBuffer> => new Int32Array(n).fill((1 << 14) << 6);

export class Coder {
  models: Int32Array = new Int32Array(0);
  private at = 0;
  private code = 0;
  private range = 0xffffffff;

  constructor(private readonly bytes: Uint8Array) {
    for (let i = 0; i < 4; i++) this.shift();
  }

  /** More was read than was written. */
  get overrun(): boolean {
    return this.at > this.bytes.length + unwritten;
  }

  /** When all was read: this is as much as was written. */
  get finished(): boolean {
    return this.at === this.bytes.length + unwritten;
  }

  /** Reads a bit by the model i. */
  bit(i: number): boolean {
    const models = this.models;
    const model = models[i] as number;
    const p = model >> 6;
    const n = model & 63;
    const bound = (this.range >>> 15) * p;
    const one = this.code < bound;
    let q: number;
    if (one) {
      this.range = bound;
      q = p + (((32768 - p) / (n + 2)) | 0);
    } else {
      this.code -= bound;
      this.range -= bound;
      q = p - ((p / (n + 2)) | 0);
    }
    models[i] = (q << 6) | (n < 62 ? n + 1 : 62);
    if (this.range < 0x1000000) this.renorm();
    return one;
  }

  plain(bits: number): number {
    let v = 0;
    for (let i = 0; i < bits; i++) {
      this.range >>>= 1;
      v *= 2;
      if (this.code >= this.range) {
        this.code -= this.range;
        v++;
      }
      this.renorm();
    }
    return v;
  }

  private renorm(): void {
    while (this.range < 0x1000000) {
      this.range = (this.range << 8) >>> 0;
      this.shift();
    }
  }

  private shift(): void {
    const next = this.at < this.bytes.length ? (this.bytes[this.at] as number) : 0;
    this.code = ((this.code << 8) | next) >>> 0;
    this.at++;
  }
}

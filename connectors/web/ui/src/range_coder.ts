// The reading side of the binary range coder of schemas/labelmap.

/** Adaptive probabilities that a bit is 1, by index. */
export class Models {
  readonly p: Uint16Array; // in 1/2^15
  readonly n: Uint8Array; // bits seen

  constructor(size: number) {
    this.p = new Uint16Array(size).fill(1 << 14);
    this.n = new Uint8Array(size);
  }
}

export class Coder {
  private at = 0;
  private code = 0;
  private range = 0xffffffff;

  constructor(private readonly bytes: Uint8Array) {
    for (let i = 0; i < 5; i++) this.shift();
  }

  /** More was read than there is. */
  get overrun(): boolean {
    return this.at > this.bytes.length;
  }

  bit(models: Models, i: number): boolean {
    const p = models.p[i] as number;
    const n = models.n[i] as number;
    const bound = (this.range >>> 15) * p;
    const one = this.code < bound;
    if (one) {
      this.range = bound;
      models.p[i] = p + (((32768 - p) / (n + 2)) | 0);
    } else {
      this.code -= bound;
      this.range -= bound;
      models.p[i] = p - ((p / (n + 2)) | 0);
    }
    if (n < 62) models.n[i] = n + 1;
    this.renorm();
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
    this.code = ((this.code << 8) | (this.bytes[this.at++] ?? 0)) >>> 0;
  }
}

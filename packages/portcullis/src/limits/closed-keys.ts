/**
 * Remembers, in fixed memory, until when keys are closed that somebody else counts. A key that is pushed out because its
 * place is full of others is only forgotten here: who counts it closes it again at its next charge.
 */
export class ClosedKeys {
  readonly #low = new Int32Array(places);
  readonly #high = new Int32Array(places);
  readonly #untilMs = new Float64Array(places);

  /** Bytes set aside. */
  get bytes(): number {
    return this.#low.byteLength + this.#high.byteLength + this.#untilMs.byteLength;
  }

  /** Until when the key with this hash is closed, in the milliseconds it was closed with; 0 where it is not known to be. */
  untilMs(low: number, high: number): number {
    const first = firstOf(low);
    for (let place = first; place < first + ways; place++) {
      if (this.#low[place] === (low | 0) && this.#high[place] === (high | 0)) return this.#untilMs[place] ?? 0;
    }
    return 0;
  }

  /** Closes the key with this hash until then; what is open again soonest makes room. */
  close(low: number, high: number, untilMs: number): void {
    const first = firstOf(low);
    let chosen = first;
    for (let place = first; place < first + ways; place++) {
      if (this.#low[place] === (low | 0) && this.#high[place] === (high | 0)) {
        chosen = place;
        break;
      }
      if ((this.#untilMs[place] ?? 0) < (this.#untilMs[chosen] ?? 0)) chosen = place;
    }
    this.#low[chosen] = low;
    this.#high[chosen] = high;
    this.#untilMs[chosen] = untilMs;
  }
}

/** 256 KiB: more keys than can be closed at a time unless somebody has that many addresses. */
const places = 16_384;
const ways = 4;

/** The low two bits choose among neighbours. */
function firstOf(low: number): number {
  return low & (places - ways);
}

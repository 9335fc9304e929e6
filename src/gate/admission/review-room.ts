// SPDX-License-Identifier: Apache-2.0
import { header, readCall, type Call } from '../../wire/index.ts';
import { AdmissionError } from './admission-error.ts';
import type { ReviewDeadline } from './review-deadline.ts';

/** What bodies of reviews may take in memory. Whoever reaches the port may send one. */
export interface RoomLimits {
  /** bytes that each may have without asking: most reviews are smaller */
  readonly small: number;
  /** bytes of all that are larger, while they are read and held */
  readonly large: number;
  /** reviews at a time */
  readonly reviews: number;
}

const ROOM_LIMITS: RoomLimits = { small: 32 * 1024, large: 48 * 1024 * 1024, reviews: 4096 };

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/** Room for reviews: large ones wait for one another before they are read, and none is read past its time. */
export class ReviewRoom {
  readonly #limits: RoomLimits;
  readonly #waiting: Set<Waiting> = new Set();
  #reviews = 0;
  #bytes = 0;

  constructor(limits: RoomLimits = ROOM_LIMITS) {
    this.#limits = limits;
  }

  /** @throws AdmissionError `overloaded` */
  enter(): Place {
    if (this.#reviews >= this.#limits.reviews)
      throw new AdmissionError('overloaded', `${this.#reviews} reviews are under way`);
    this.#reviews += 1;
    let held = 0;
    const release = (): void => {
      this.#bytes -= held;
      held = 0;
      this.#admit();
    };
    return {
      read: async (call, maxBytes, deadline) => {
        const bytes = announced(call) ?? maxBytes;
        if (bytes <= this.#limits.small || bytes > maxBytes) return readCall(call, maxBytes);
        await this.#take(bytes, deadline);
        held = bytes;
        return readCall({ ...call, body: inTime(call.body, deadline) }, maxBytes);
      },
      release,
      leave: () => {
        release();
        this.#reviews -= 1;
      },
    };
  }

  async #take(bytes: number, deadline: ReviewDeadline): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const turn: Waiting = { bytes, enter: resolve };
    this.#waiting.add(turn);
    this.#admit();
    try {
      await deadline.within(promise);
    } catch (error) {
      // let in at the very moment at which its time was up
      if (!this.#waiting.delete(turn)) this.#bytes -= bytes;
      this.#admit();
      throw error;
    }
  }

  /** In the order in which they came: a larger one is not passed by. */
  #admit(): void {
    for (const turn of this.#waiting) {
      if (this.#bytes > 0 && this.#bytes + turn.bytes > this.#limits.large) return;
      this.#waiting.delete(turn);
      this.#bytes += turn.bytes;
      turn.enter();
    }
  }
}

/** What one review takes. */
export interface Place {
  /** Reads its body. @throws AdmissionError `deadline`; as `readCall` */
  read(call: Call, maxBytes: number, deadline: ReviewDeadline): Promise<Uint8Array>;
  /** What was read is held no more. */
  release(): void;
  /** The review is over; once. */
  leave(): void;
}

function announced(call: Call): number | undefined {
  const length = header(call, 'content-length');
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

async function* inTime(body: AsyncIterable<Uint8Array>, deadline: ReviewDeadline): AsyncIterable<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  let isLate = false;
  try {
    for (;;) {
      isLate = true;
      const next = await deadline.within(chunks.next());
      isLate = false;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // One that is waited for would be waited for by this too.
    if (!isLate) await chunks.return?.();
  }
}

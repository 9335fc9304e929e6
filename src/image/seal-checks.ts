// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { encodeBundle, type Artifact, type Bundle, type SealCheck } from '../trust/index.ts';

/** what one check may take; what attests more than this is verified again */
const MAX_ENTRY = 64 * 1024;
/** of an entry, beside what was signed */
const ENTRY = 2500;

interface KeptCheck {
  readonly check: SealCheck;
  readonly bytes: number;
}

/**
 * What verifying bundles gave, for ever: it follows from the bundle, from what it should be about, and from who is expected with whom one
 * believes about it, and from nothing else; no clock is read. Under those three it is kept, the least recently used going first.
 *
 * @example
 * const checks = new SealChecks(32 * 1024 * 1024);
 * const evidence = new GatheredEvidence(repository, digest, { checks });
 */
export class SealChecks {
  readonly #known: Map<string, KeptCheck> = new Map();
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param maxBytes that are kept, by a fair estimate */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** bytes that are kept */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param material names who is expected and whom one believes: the same for the same, and only then
   * @param verify finds it out where it is not known
   */
  async check(
    bundle: Bundle,
    artifact: Artifact,
    material: string,
    verify: () => Promise<SealCheck>,
  ): Promise<SealCheck> {
    const size = sizeOf(bundle, artifact);
    if (size > MAX_ENTRY) return verify();
    const key = `${nameOfBundle(bundle)}${nameOf(artifact)}${material}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#known.delete(key);
      this.#known.set(key, known);
      return known.check;
    }
    const check = await verify();
    this.#keep(key, { check, bytes: size + key.length });
    return check;
  }

  #keep(key: string, kept: KeptCheck): void {
    this.#bytes += kept.bytes - (this.#known.get(key)?.bytes ?? 0);
    this.#known.set(key, kept);
    for (const [oldest, { bytes }] of this.#known) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#known.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}

/** Of all of it: as it is written a bundle may leave out what a certificate chains to, and the envelope that was logged. */
function nameOfBundle(bundle: Bundle): string {
  const { material, content } = bundle;
  const chain = material.kind === 'public-key' ? [] : material.chain;
  const logged = content.kind === 'dsse' && content.document !== undefined ? content.document : new Uint8Array();
  const parts = [encodeBundle(bundle), logged, ...chain];
  return parts.map((part) => hash('sha256', part, 'base64')).join(' ');
}

function nameOf(artifact: Artifact): string {
  return artifact.kind === 'digest'
    ? ` ${artifact.algorithm}:${artifact.hex} `
    : ` bytes:${hash('sha256', artifact.bytes, 'base64')} `;
}

/** Of what is kept: the statement as values, and what says who signed and when. */
function sizeOf({ content }: Bundle, artifact: Artifact): number {
  const payload = content.kind === 'dsse' ? content.envelope.payload.byteLength : 0;
  return ENTRY + 4 * payload + (artifact.kind === 'bytes' ? 0 : 100);
}

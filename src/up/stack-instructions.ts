// SPDX-License-Identifier: Apache-2.0
import { isAbsolute } from 'node:path';
import { ROTATIONS, type OpenedStack, type Rotation, type ShardCheck } from '../stack/index.ts';
import type { Json } from '../wire/index.ts';
import type { Instruction } from './instructions.ts';
import { UpError } from './up-error.ts';

/** With what a client begins to trust a stack: the parts of `initialize`. */
export interface TrustAnchor {
  /** a URL */
  readonly mirror: string;
  /** a URL that stays what it is */
  readonly root: string;
  /** SHA-256 of what is there, in hex */
  readonly rootChecksum: string;
}

/** What the instructions need beside the stack. */
export interface InstructionParts {
  /** Writes the files for clients anew. */
  published(): Promise<void>;
  /** with which TUF root clients begin, as it is now */
  trustAnchor(): TrustAnchor;
  /** copies everything into a new folder */
  backUp(to: string): Promise<object>;
}

/** What a running stack can be told over its socket. */
export function stackInstructions(stack: OpenedStack, parts: InstructionParts): Readonly<Record<string, Instruction>> {
  return {
    rotate: async ({ role, offlineKeys, compromised }) => {
      const rotation = ROTATIONS.find((known) => known === role);
      if (rotation === undefined) throw malformed('role', role, ROTATIONS.join(', '));
      const before = parts.trustAnchor();
      const { activated, retired } = await stack.rotate(rotation, {
        offlineKeys: pathOf('offlineKeys', offlineKeys),
        ...(compromised === true ? { overlapMs: 0 } : {}),
      });
      await parts.published();
      const tuf = parts.trustAnchor();
      const rootChanged = tuf.rootChecksum !== before.rootChecksum;
      return { ...rotated(rotation, { activated, retired }), rootChanged, tuf };
    },
    backup: async ({ to }) => {
      const folder = pathOf('to', to);
      if (folder === undefined) throw malformed('to', to, 'an absolute path');
      return await stack.unchanged(() => parts.backUp(folder));
    },
    fsck: async () => checkDocument(await stack.check()),
    'resume-clock': async () => {
      stack.resumeClock();
      return { troubles: stack.troubles() };
    },
  };
}

/** What a check of logs has found, as JSON. */
export function checkDocument(shards: readonly ShardCheck[]): Readonly<Record<string, Json>> {
  return {
    shards: shards.map(({ shard, origin, size, rootHash, findings, found }) => ({
      shard,
      origin,
      size,
      rootHash: rootHash === undefined ? null : Buffer.from(rootHash).toString('hex'),
      found,
      findings: findings.map(({ code, message }) => ({ code, message })),
    })),
  };
}

interface Rotated {
  readonly activated: readonly { readonly id: string; readonly role: string }[];
  readonly retired: readonly {
    readonly id: string;
    readonly role: string;
    readonly validFor: { readonly end?: Date };
  }[];
}

function rotated(rotation: Rotation, { activated, retired }: Rotated): object {
  return {
    rotated: rotation,
    activated: activated.map(({ id, role }) => ({ id, role })),
    retired: retired.map(({ id, role, validFor }) => ({ id, role, trustedUntil: validFor.end?.toISOString() ?? null })),
  };
}

function pathOf(name: string, value: Json | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && isAbsolute(value)) return value;
  throw malformed(name, value, 'an absolute path');
}

function malformed(name: string, value: Json | undefined, expected: string): UpError {
  const found = JSON.stringify(value)?.slice(0, 80) ?? 'nothing';
  return new UpError('instruction-malformed', `${name} is ${found}, expected ${expected}`);
}

// SPDX-License-Identifier: Apache-2.0

/** The languages that policies over JSON are written in. */
export type ProgramLanguage = 'cel' | 'cue' | 'rego';

/** What a policy is about: an attestation, or what the authorities of a policy have found. */
export interface ProgramInput {
  readonly over: 'statement' | 'matches';
  /** JSON: of the statement, or of an object with what was found */
  readonly bytes: Uint8Array;
  /** the time of the decision: no policy reads another clock */
  readonly now: Date;
}

/** What a policy says. A failure of the policy on this input, a field that is not there for example, is a refusal. */
export type ProgramAnswer =
  | { readonly kind: 'approved'; readonly warning?: string }
  /** `found` is one line: which field, what stands there */
  | { readonly kind: 'refused'; readonly found: string };

/** A policy in a file. */
export interface ProgramFile {
  /** as a message names it */
  readonly name: string;
  readonly text: string;
}

/** A policy as cosign's `--policy` reads it: several files of one language are one, and Rego is asked for `data.signature.allow` only. */
export interface CosignProgram {
  /** one at least */
  readonly files: readonly ProgramFile[];
  /** whether CUE refuses where a field is not there of which it says what it must be, as in a policy document; otherwise that is warned of */
  readonly strict: boolean;
}

/** A policy that was read by its engine and found to be right. */
export interface PreparedProgram {
  readonly language: ProgramLanguage;
  /** all of them where they are several */
  readonly text: string;
  readonly cosign?: CosignProgram;
  readonly engine: Engine;
  /** its answer depends on the time: it is not kept */
  readonly readsClock: boolean;
  /** what of it is asked, as its engine wants to be told */
  readonly query?: ProgramQuery;
}

/** A rule of a policy in Rego. */
export interface ProgramQuery {
  /** `data.sigstore.isCompliant` or `data.signature.allow` */
  readonly rule: string;
  readonly version: 'v0' | 'v1';
}

/** What came of reading a policy. `message` is one line. */
export type ProgramCheck =
  | { readonly kind: 'program'; readonly program: PreparedProgram }
  | { readonly kind: 'fault'; readonly message: string };

/** Runs policies one after the other, apart from all else: without folders, sockets or environment, up to a deadline and a cap on memory. */
export interface EngineSession {
  /**
   * Reads a policy, without an input. There are none as cosign reads them in CEL.
   *
   * @throws PolicyError `program-unfinished`
   */
  check(policy: string | CosignProgram): Promise<ProgramCheck>;
  /**
   * What a policy says of an input.
   *
   * @throws PolicyError `program-unfinished` where it could not be found out
   */
  run(program: PreparedProgram, input: ProgramInput): Promise<ProgramAnswer>;
  end(): Promise<void>;
}

/** The texts of a policy, and what messages call them where they are several. */
export function textsOf(policy: string | CosignProgram): {
  readonly texts: readonly string[];
  readonly names: readonly string[];
} {
  if (typeof policy === 'string') return { texts: [policy], names: [] };
  const { files } = policy;
  return { texts: files.map(({ text }) => text), names: files.length === 1 ? [] : files.map(({ name }) => name) };
}

/** What a policy is made of, where it is kept. */
export function madeOf(policy: string | CosignProgram): Pick<PreparedProgram, 'text' | 'cosign'> {
  return typeof policy === 'string'
    ? { text: policy }
    : { text: JSON.stringify(textsOf(policy).texts), cosign: policy };
}

/** milliseconds that one evaluation may take, unless told */
export const ENGINE_DEADLINE: number = 15_000;

/** Evaluates policies in one language. */
export interface Engine {
  readonly language: ProgramLanguage;
  /** bytes of the JSON that a policy can be about */
  readonly maxInput: number;
  open(): EngineSession;
}

/** The engines that there are here. What is missing is a line that says what to install. */
export interface Engines {
  find(language: ProgramLanguage): Promise<Engine | string>;
}

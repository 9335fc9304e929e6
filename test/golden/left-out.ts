// SPDX-License-Identifier: Apache-2.0
import { matches } from './differences.ts';
import type { RecordedCommand } from './transcript.ts';

/** Recorded commands that are not replayed, and why. */
export interface LeftOut {
  /** a case; `*` stands for anything */
  readonly cases: string;
  /** the program and the verb, for example `cosign-* attest`; `*` stands for anything */
  readonly command: string;
  /** only where this word follows the verb */
  readonly object?: string;
  /** only these, by their place in the transcript */
  readonly places?: readonly number[];
  readonly why: string;
}

const NO_SUCH_COMMAND = 'a command that this version of bulla does not have';
const SERVICES =
  'asks services that ran when it was recorded; test/chain and test/interop seal with services of our own';
const GONE = 'what it showed was deleted later in the recording, so that its bytes are not there';
const NOT_COSIGN = 'another tool, which made an input';
const NO_RECORD = 'the transcript notes that it was run, and not what it printed';

/** Every recorded command is replayed, but for these. A test holds that each command is one or the other, and each row is needed. */
export const LEFT_OUT: readonly LeftOut[] = [
  { cases: '*', command: 'cosign-* download', object: 'signature', why: NO_SUCH_COMMAND },
  { cases: '*', command: 'cosign-* generate', why: NO_SUCH_COMMAND },
  { cases: '*', command: 'cosign-* copy', why: NO_SUCH_COMMAND },
  { cases: '*', command: 'cosign-* clean', why: NO_SUCH_COMMAND },
  { cases: 'bundle-*', command: 'cosign-* bundle', why: NO_SUCH_COMMAND },
  { cases: 'keyless-*', command: 'cosign-* bundle', why: NO_SUCH_COMMAND },
  { cases: '*', command: 'cosign-* debug', why: NO_SUCH_COMMAND },
  { cases: '*', command: 'openssl *', why: NOT_COSIGN },
  { cases: '*', command: 'ssh-keygen *', why: NOT_COSIGN },
  { cases: '*', command: 'oras *', why: 'another tool, run on what cosign wrote' },
  { cases: 'keyless-*', command: 'cosign-* sign', why: SERVICES },
  { cases: 'keyless-*', command: 'cosign-* attest', why: SERVICES },
  { cases: 'keyless-*', command: 'cosign-* sign-blob', why: SERVICES },
  { cases: 'keyless-*', command: 'cosign-* attest-blob', why: SERVICES },
  { cases: 'key-tlog-*', command: 'cosign-* sign', why: SERVICES },
  { cases: 'key-tlog-*', command: 'cosign-* attest', why: SERVICES },
  { cases: 'key-tlog-*', command: 'cosign-* sign-blob', why: SERVICES },
  { cases: 'misc-3.1.1', command: 'cosign-* sign-blob', places: [3, 5, 7, 13], why: SERVICES },
  { cases: 'clean-*', command: 'cosign-* tree', places: [4, 7], why: GONE },
  { cases: 'sign-annotation-escapes', command: 'cosign-* sign', why: NO_RECORD },
];

/** The rows that leave a command out; there must be at most one. */
export function leftOut(command: RecordedCommand): readonly LeftOut[] {
  const name = `${command.program} ${command.args[0] ?? ''}`;
  return LEFT_OUT.filter(
    (row) =>
      matches(command.case, row.cases) &&
      matches(name, row.command) &&
      (row.object === undefined || command.args[1] === row.object) &&
      (row.places === undefined || row.places.includes(command.at)),
  );
}

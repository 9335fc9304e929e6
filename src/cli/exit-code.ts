// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** What the process ends with. 0, 1, 10, 11, 12 and 13 are cosign's; 2 is ours. */
export const EXIT = {
  /** done; of `verify`: trusted */
  ok: 0,
  /** wrong usage, and everything that has no code of its own */
  failure: 1,
  /** could not find out: the network, a throttling registry, a deadline, a cap. Never "not signed" */
  undecided: 2,
  /** no seal was found anywhere */
  nothingFound: 10,
  /** the image or tag does not exist */
  missing: 11,
  /** seals were found and none was accepted, malformed ones included */
  noneAccepted: 12,
  /** only key seals were found where an identity was asked for */
  keySealsOnly: 13,
  /** wrong usage of a gate, whose 1 means refused and nothing else */
  usage: 64,
  /** ended by SIGINT */
  interrupted: 130,
  /** who read our standard output stopped reading; what a shell reports for SIGPIPE */
  brokenPipe: 141,
  /** ended by SIGTERM */
  terminated: 143,
} as const;

/** Codes of errors that tell nothing about what was asked for. */
const UNDECIDED: ReadonlySet<string> = new Set([
  'unreachable',
  'connection-reset',
  'timeout',
  'throttled',
  'server-error',
  'engine-missing',
  'evidence-capped',
  'kit-incomplete',
  'program-unfinished',
  'service-unavailable',
  'token-unavailable',
  'trust-unavailable',
]);

/** The exit code of an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof CodedError)) return EXIT.failure;
  if (UNDECIDED.has(error.code)) return EXIT.undecided;
  if (error.code === 'image-missing') return EXIT.missing;
  if (error.code === 'interrupted') return EXIT.interrupted;
  if (error.code === 'terminated') return EXIT.terminated;
  if (error.code === 'broken-pipe') return EXIT.brokenPipe;
  return EXIT.failure;
}

/** Of a gate's errors, those that its caller can mend: the command line, and the files that it names. Any other error is no answer. */
const MENDED_BY_CALLER: ReadonlySet<string> = new Set([
  'usage',
  'unknown-command',
  'unknown-flag',
  'flag-invalid',
  'flag-refused',
  'file-missing',
  'file-unreadable',
  'file-exists',
  'file-unwritable',
  'variable-missing',
  'input-too-large',
  'output-failed',
  'network-forbidden',
  'policy-malformed',
  'policy-unresolved',
  'trusted-root-malformed',
  'kit-malformed',
  'layout-malformed',
  'trusted-root-unsupported',
  'client-trust-config-malformed',
  'signing-config-malformed',
  'signing-config-unsupported',
  'service-missing',
  'key-reference-unsupported',
  'key-malformed',
  'key-unsupported',
  'key-encrypted',
  'key-is-private',
  'key-is-public',
  'password-wrong',
  'no-terminal',
  'kdf-too-expensive',
  'pem-malformed',
  'identities-malformed',
  'reference-malformed',
  'lock-malformed',
  'lock-version',
  'lock-too-large',
  'kubeconfig-malformed',
]);

/** The exit code of an error that ended a gate: never 1, which says that something was refused. */
export function exitCodeOfGate(error: unknown): number {
  const code = exitCodeOf(error);
  if (code >= EXIT.interrupted || code === EXIT.undecided) return code;
  return error instanceof CodedError && MENDED_BY_CALLER.has(error.code) ? EXIT.usage : EXIT.undecided;
}

/** What a signal interrupted is no answer; that the time was up is one. @throws why the command was ended */
export function throwIfEnded(signal: AbortSignal): void {
  if (signal.aborted && exitCodeOf(signal.reason) !== EXIT.undecided) signal.throwIfAborted();
}

// SPDX-License-Identifier: Apache-2.0
import type { FlagValues } from './command.ts';
import type { CommandContext } from './context.ts';
import type { GLOBAL_FLAGS } from './flags/global.ts';
import type { Host } from './host.ts';
import { printable } from './output/printable.ts';
import { style } from './output/style.ts';

/** The values of the flags that every command takes. */
export type Globals = FlagValues<typeof GLOBAL_FLAGS>;

/** What a context is made from besides the process and the flags. */
export interface ContextParts {
  readonly signal: AbortSignal;
  readonly stdout: (text: string) => void;
}

/** The world of one command: the process, seen through the global flags. */
export function createContext(host: Host, globals: Globals, parts: ContextParts): CommandContext {
  const warnings: string[] = [];
  let cwd: string | undefined;
  let isTerminal: boolean | undefined;
  const context: CommandContext = {
    program: host.program,
    stdout: parts.stdout,
    stderr: (text) => host.writeErr(text),
    warn(text) {
      const line = printable(text);
      warnings.push(line);
      host.writeErr(`${style(context.color).yellow('WARNING:')} ${line}\n`);
    },
    debug(text) {
      if (globals.verbose) host.writeErr(`${style(context.color).dim(printable(text))}\n`);
    },
    warnings,
    env: host.env,
    get cwd() {
      return (cwd ??= host.cwd());
    },
    now: () => host.now(),
    // asked for at the first use: what prints nothing does not pay for it
    get isTerminal() {
      return (isTerminal ??= host.isTerminal());
    },
    get canPrompt() {
      return host.canPrompt();
    },
    get color() {
      return (
        !globals['no-color'] && (host.env['NO_COLOR'] ?? '') === '' && host.env['TERM'] !== 'dumb' && context.isTerminal
      );
    },
    json: globals.json,
    verbose: globals.verbose,
    noNetwork: globals['no-network'],
    timeoutMs: globals.timeout === 0 ? undefined : globals.timeout,
    signal: parts.signal,
    onHangUp: (listener) => host.onHangUp(listener),
    readStdin: (maxBytes) => host.readStdin(maxBytes),
    askHidden: (question) => host.askHidden(question),
    askYesNo: (question) => host.askYesNo(question),
  };
  return context;
}

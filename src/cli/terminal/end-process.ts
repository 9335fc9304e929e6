// SPDX-License-Identifier: Apache-2.0
import { EXIT } from '../exit-code.ts';

/**
 * Ends the process. `process.exit` waits for threads, and a thread that asks a silent name server waits long: whoever pressed Ctrl-C gets
 * the signal's own end then, which a shell reports by the same code.
 */
export function endProcess(code: number): never {
  const signal = code === EXIT.interrupted ? 'SIGINT' : code === EXIT.terminated ? 'SIGTERM' : undefined;
  if (signal !== undefined && threadsAreBusy()) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
  process.exit(code);
}

/** Requests to the system that Node's threads are at work on. @see https://nodejs.org/api/process.html#processgetactiveresourcesinfo */
function threadsAreBusy(): boolean {
  return process.getActiveResourcesInfo().some((kind) => /^(?:FSReq|GetAddrInfoReq|GetNameInfoReq)/.test(kind));
}

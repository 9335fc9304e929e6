// SPDX-License-Identifier: Apache-2.0

// Preloaded with `--import`: writes to the file in BULLA_RECORD, when the process ends, how much memory it had at the most and which sockets
// it opened: connections, datagrams, and names that were looked up.
import dgram from 'node:dgram';
import dns from 'node:dns';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';

const sockets: string[] = [];

watch(net.Socket.prototype, 'connect', (args) => `connect ${addressOf(args)}`);
watch(dgram.Socket.prototype, 'send', () => 'send');
watch(dns, 'lookup', ([name]) => `lookup ${String(name)}`);

/** Notes each call of a method before it is carried out. */
function watch<Name extends string>(
  on: { [name in Name]: (...args: never[]) => unknown },
  name: Name,
  note: (args: readonly unknown[]) => string,
): void {
  const method = on[name];
  const watched = function watched(this: unknown, ...args: never[]): unknown {
    sockets.push(note(args));
    return Reflect.apply(method, this, args);
  };
  on[name] = Object.assign(watched, method);
}

/** `connect` takes a port and a host, a path, an object with these, or such an object in an array. */
function addressOf(args: readonly unknown[]): string {
  const [first, second] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args;
  if (typeof first !== 'object' || first === null) return `${String(second)}:${String(first)}`;
  const { host, port, path } = first as { readonly host?: string; readonly port?: number; readonly path?: string };
  return port === undefined ? String(path) : `${String(host)}:${port}`;
}

process.on('exit', () => {
  const to = process.env['BULLA_RECORD'];
  // not `resourceUsage().maxRSS`: that of a parent is handed down when a program is started
  const peak = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  const peakBytes = Number(peak) * 1024;
  if (to !== undefined) writeFileSync(to, JSON.stringify({ peakBytes, sockets }));
});

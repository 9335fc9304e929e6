// SPDX-License-Identifier: Apache-2.0

// Preloaded with `--import`: writes to the file in BULLA_RECORD, when the process ends, how much memory it had at the most and which sockets
// it opened. (Node's own address lookups go by other ways than `node:dns`, so that they are seen at the binding of the socket's `connect`.)
import dgram from 'node:dgram';
import dns from 'node:dns';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';

const sockets: string[] = [];

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function record(this: net.Socket, ...args: unknown[]): net.Socket {
  sockets.push(`connect ${JSON.stringify(args[0], ['host', 'port', 'path'])}`);
  return Reflect.apply(connect, this, args) as net.Socket;
} as typeof connect;

const { lookup } = dns;
dns.lookup = Object.assign((...args: unknown[]): void => {
  sockets.push(`lookup ${String(args[0])}`);
  Reflect.apply(lookup, dns, args);
}, lookup);

const { send } = dgram.Socket.prototype;
dgram.Socket.prototype.send = function record(this: dgram.Socket, ...args: unknown[]): void {
  sockets.push('send');
  Reflect.apply(send, this, args);
};

process.on('exit', () => {
  const to = process.env['BULLA_RECORD'];
  // not `resourceUsage().maxRSS`: that of a parent is handed down when a program is started
  const peak = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  const peakBytes = Number(peak) * 1024;
  if (to !== undefined) writeFileSync(to, JSON.stringify({ peakBytes, sockets }));
});

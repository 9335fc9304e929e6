// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  addressBytes,
  addressKind,
  checkHost,
  hostKind,
  resolveWithin,
  withinReach,
  type AddressKind,
} from './address.ts';

test('names the kind of an address, also of one of IPv4 inside one of IPv6', () => {
  const kinds: Record<AddressKind, string[]> = {
    public: [
      '1.1.1.1',
      '172.15.255.255',
      '172.32.0.1',
      '192.167.255.1',
      '2606:4700::1111',
      '64:ff9b::101:101',
      '::ffff:8.8.8.8',
    ],
    private: [
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      '100.127.255.255',
      'fc00::1',
      'fdff::1',
      'fec0::1',
      '::ffff:10.0.0.1',
      '::ffff:c0a8:1',
      '64:ff9b::10.0.0.1',
      '2002:a00:1::',
      '::10.0.0.1',
    ],
    loopback: [
      '127.0.0.1',
      '127.255.255.254',
      '0.0.0.0',
      '0.1.2.3',
      '::',
      '::1',
      '0:0:0:0:0:0:0:1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::ffff:0:0',
    ],
    'link-local': [
      '169.254.169.254',
      '168.63.129.16',
      '100.100.100.200',
      '192.0.0.192',
      'fe80::1',
      'febf::1%eth0',
      'fd00:ec2::254',
      'fd20:ce::254',
      '::ffff:169.254.1.1',
      '64:ff9b::a9fe:a9fe',
    ],
    reserved: ['224.0.0.1', '240.0.0.1', '255.255.255.255', 'ff02::1', '192.0.0.1'],
  };
  for (const [kind, addresses] of Object.entries(kinds)) {
    for (const address of addresses) assert.equal(addressKind(address), kind, address);
  }
});

test('takes exactly what the runtime takes for an address', () => {
  const part = fc.constantFrom(
    '0',
    '1',
    '255',
    '256',
    '01',
    'ffff',
    'g',
    '',
    ':',
    '::',
    '.',
    '127',
    '0.0.0.1',
    'a.b',
    '12345',
  );
  const addressLike = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(part, { maxLength: 12 }).map((parts) => parts.join('')),
    fc.array(part, { maxLength: 9 }).map((parts) => parts.join(':')),
  );
  fc.assert(
    fc.property(addressLike, (text) => {
      assert.equal(addressBytes(text) !== undefined, isIP(text) !== 0, JSON.stringify(text));
    }),
    { numRuns: 2000 },
  );
});

test('a URL cannot hide an address by its spelling', () => {
  for (const url of [
    'http://0177.0.0.1/',
    'http://0x7f000001/',
    'http://2130706433/',
    'http://127.1/',
    'http://[::ffff:127.0.0.1]/',
    'http://LOCALHOST/',
    'http://localhost./',
    'http://a.localhost/',
    'http://①②⑦.0.0.1/',
  ]) {
    assert.equal(hostKind(new URL(url)), 'loopback', url);
  }
  assert.equal(hostKind(new URL('https://registry.test/')), undefined);
  assert.throws(() => checkHost(new URL('http://[fd00::1]:99/x'), 'public'), { code: 'address-refused' });
});

test('a server leads to public addresses, and to those of its own kind', () => {
  const kinds: AddressKind[] = ['public', 'private', 'loopback', 'link-local', 'reserved'];
  const reached = (from: AddressKind): AddressKind[] => kinds.filter((kind) => withinReach(from, kind));
  assert.deepEqual(reached('public'), ['public']);
  assert.deepEqual(reached('private'), ['public', 'private']);
  assert.deepEqual(reached('loopback'), ['public', 'private', 'loopback']);
  assert.deepEqual(reached('link-local'), ['public', 'link-local']);
});

test('of the addresses of a name only those within reach are used', async () => {
  const addresses = [
    { address: '10.0.0.1', family: 4 },
    { address: '1.1.1.1', family: 4 },
  ];
  const lookup = (): Promise<typeof addresses> => Promise.resolve(addresses);
  assert.deepEqual(await resolveWithin('registry.test', 'public', lookup), [{ address: '1.1.1.1', family: 4 }]);
  await assert.rejects(
    resolveWithin('registry.test', 'public', () => Promise.resolve([])),
    { code: 'address-refused' },
  );
});

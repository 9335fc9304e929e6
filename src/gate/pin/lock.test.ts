// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Digest } from '../../oci/index.ts';
import { decodeLock, isLockPath, LOCK_LIMITS } from './decode-lock.ts';
import { encodeLock, type Lock, type LockedImage } from './lock.ts';
import { PinError } from './pin-error.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const digest = (hex: string): Digest => `sha256:${hex.repeat(64).slice(0, 64)}` as Digest;
const image: LockedImage = {
  image: 'registry.example.com/app:1.4',
  digest: digest('a'),
  reasons: ['met'],
  sealedBy: [
    { kind: 'identity', issuer: 'https://ci.example.com', subject: 'https://ci.example.com/release' },
    { kind: 'key', key: 'wuImj6xlg6g6lWyEgx1O2OeID1jpiKcG+vwoiDXluH8=' },
  ],
  policyHashes: [digest('b')],
  evidence: [digest('c'), digest('d')],
};
const lock: Lock = { paths: ['deploy'], images: [image] };

describe('encodeLock', () => {
  it('writes the same bytes for the same content, in whatever order it came', () => {
    const other: LockedImage = { ...image, image: 'registry.example.com/app:1.3', policyHashes: [] };
    const shuffled: LockedImage = {
      ...image,
      sealedBy: image.sealedBy.toReversed(),
      evidence: [...image.evidence.toReversed(), ...image.evidence],
    };
    assert.equal(
      encodeLock({ paths: ['b', 'a'], images: [shuffled, other] }),
      encodeLock({ paths: ['a', 'b'], images: [other, image] }),
    );
  });
  it('writes one fact a line', () => {
    assert.equal(
      encodeLock({ paths: ['.'], images: [{ ...image, sealedBy: [], evidence: [], policyHashes: [digest('b')] }] }),
      [
        '{',
        '  "version": 1,',
        '  "paths": [',
        '    "."',
        '  ],',
        '  "images": [',
        '    {',
        '      "image": "registry.example.com/app:1.4",',
        `      "digest": "${digest('a')}",`,
        '      "reasons": [',
        '        "met"',
        '      ],',
        '      "sealedBy": [],',
        '      "policyHashes": [',
        `        "${digest('b')}"`,
        '      ],',
        '      "evidence": []',
        '    }',
        '  ]',
        '}',
        '',
      ].join('\n'),
    );
  });
});

/** A lock with one thing changed. */
function changed(
  change: (document: Record<string, unknown> & { images: Record<string, unknown>[] }) => void,
): Uint8Array {
  const document = JSON.parse(encodeLock(lock)) as Record<string, unknown> & { images: Record<string, unknown>[] };
  change(document);
  return utf8(JSON.stringify(document));
}

const inImage = (fields: Record<string, unknown>): Uint8Array =>
  changed(({ images }) => Object.assign(images[0] ?? {}, fields));

describe('decodeLock', () => {
  it('reads what encodeLock writes', () => {
    assert.deepEqual(decodeLock(utf8(encodeLock(lock))), lock);
  });

  const BAD: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
    ['nothing', utf8(''), 'lock-malformed', /not JSON/],
    ['a merge conflict', utf8(`<<<<<<< ours\n${encodeLock(lock)}`), 'lock-malformed', /not JSON/],
    ['a list', utf8('[]'), 'lock-malformed', /the lock is \[\], expected an object/],
    ['no version', utf8('{}'), 'lock-malformed', /version of the lock is missing/],
    [
      'a later version, whatever else it has',
      utf8('{"version":2,"pins":[]}'),
      'lock-version',
      /version 2.*reads version 1/,
    ],
    [
      'an unknown field',
      changed((document) => (document['pins'] = [])),
      'lock-malformed',
      /unknown field 'pins', expected version, paths, images/,
    ],
    [
      'an unknown field of an image',
      inImage({ trusted: true }),
      'lock-malformed',
      /images\[0\] of the lock has the unknown field 'trusted'/,
    ],
    [
      'no images',
      changed((document) => delete (document as { images?: unknown }).images),
      'lock-malformed',
      /images of the lock is missing, expected a list/,
    ],
    ['no paths', changed((document) => (document['paths'] = [])), 'lock-malformed', /no paths/],
    [
      'a path that climbs',
      changed((document) => (document['paths'] = ['../etc'])),
      'lock-malformed',
      /paths\[0\] of the lock is "\.\.\/etc"/,
    ],
    ['an absolute path', changed((document) => (document['paths'] = ['/etc'])), 'lock-malformed', /relative path/],
    ['an image twice', changed(({ images }) => images.push({ ...images[0] })), 'lock-malformed', /twice/],
    [
      'an image with a digest',
      inImage({ image: `registry.example.com/app@${digest('a')}` }),
      'lock-malformed',
      /full name without a digest/,
    ],
    ['an image by half its name', inImage({ image: 'nginx:1' }), 'lock-malformed', /full name/],
    ['no image', inImage({ image: 'Not An Image' }), 'lock-malformed', /full name/],
    ['another digest', inImage({ digest: 'sha256:abc' }), 'lock-malformed', /digest of the lock is "sha256:abc"/],
    ['a digest that is a number', inImage({ digest: 1 }), 'lock-malformed', /is 1, expected a text/],
    ['evidence that is none', inImage({ evidence: [null] }), 'lock-malformed', /evidence\[0\] of the lock is null/],
    ['evidence twice', inImage({ evidence: [digest('c'), digest('c')] }), 'lock-malformed', /twice/],
    [
      'a signer of no kind',
      inImage({ sealedBy: [{}] }),
      'lock-malformed',
      /sealedBy\[0\]\.kind of the lock is missing/,
    ],
    [
      'a signer that is both',
      inImage({ sealedBy: [{ ...image.sealedBy[0], key: 'x' }] }),
      'lock-malformed',
      /unknown field 'key'/,
    ],
    [
      'a signer without a subject',
      inImage({ sealedBy: [{ kind: 'identity', issuer: 'a', subject: '' }] }),
      'lock-malformed',
      /0 characters/,
    ],
    [
      'a field twice',
      utf8(encodeLock(lock).replace('"digest":', `"digest": "${digest('e')}", "d\\u0069gest":`)),
      'lock-malformed',
      /'digest' twice/,
    ],
    ['a prototype', utf8('{"version":1,"paths":["."],"images":[],"__proto__":{}}'), 'lock-malformed', /__proto__/],
    ['what is not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'lock-malformed', /not JSON/],
    ['brackets without an end', utf8('['.repeat(100_000)), 'lock-malformed', /deeper/],
    ['too much', new Uint8Array(LOCK_LIMITS.maxBytes + 1), 'lock-too-large', /bytes/],
    [
      'too many images',
      changed((document) => (document['images'] = Array.from({ length: LOCK_LIMITS.maxImages + 1 }, () => 0) as never)),
      'lock-too-large',
      /20001 entries/,
    ],
    [
      'too much evidence',
      inImage({ evidence: Array.from({ length: 1001 }, () => 0) }),
      'lock-too-large',
      /1001 entries/,
    ],
  ];
  for (const [what, bytes, code, message] of BAD)
    it(`refuses ${what}`, () => {
      assert.throws(
        () => decodeLock(bytes),
        (error) => {
          assert.ok(error instanceof PinError, String(error));
          assert.equal(error.code, code);
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /\n/);
          return true;
        },
      );
    });

  it('gives a lock or a PinError, whatever the JSON', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(5), (text, mode) => {
        const value = JSON.parse(text) as unknown;
        const bytes = [
          utf8(text),
          changed((document) => (document['images'] = value as never)),
          changed((document) => (document['paths'] = value)),
          inImage({ sealedBy: value }),
          inImage({ evidence: value }),
          inImage({ image: value }),
        ][mode];
        try {
          decodeLock(bytes ?? utf8(text));
        } catch (error) {
          assert.ok(error instanceof PinError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
  it('reads back every lock that can be written', () => {
    const digests = fc
      .uniqueArray(fc.stringMatching(/^[0-9a-f]{64}$/), { maxLength: 3 })
      .map((all) => all.map((hex) => `sha256:${hex}` as Digest).toSorted());
    const locked = fc.record({
      image: fc.stringMatching(/^r\.example\/[a-z]{1,8}(:[a-z0-9]{1,8})?$/),
      digest: fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}` as Digest),
      reasons: fc.constantFrom<LockedImage['reasons']>(['met'], ['excepted', 'met'], []),
      sealedBy: fc.constantFrom(image.sealedBy, []),
      policyHashes: digests,
      evidence: digests,
    });
    fc.assert(
      fc.property(fc.uniqueArray(locked, { selector: (one) => `${one.image}${one.digest}` }), (images) => {
        const text = encodeLock({ paths: ['.'], images });
        assert.equal(encodeLock(decodeLock(utf8(text))), text);
      }),
    );
  });
});

describe('isLockPath', () => {
  for (const path of ['.', 'a', 'a/b.yaml', '..a', 'a b', 'ä']) it(`takes ${path}`, () => assert.ok(isLockPath(path)));
  for (const path of [
    '',
    '/',
    '/a',
    '..',
    'a/..',
    '../a',
    'a//b',
    './a',
    'a/',
    'a\\..\\b',
    'C:/a',
    'a\0',
    'a\n',
    '\ud800',
    'a'.repeat(3000),
  ])
    it(`refuses ${JSON.stringify(path.slice(0, 20))}`, () => assert.ok(!isLockPath(path)));
});

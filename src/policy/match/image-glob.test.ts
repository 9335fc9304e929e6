// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compileGlob, globFault, imageName, matchesGlob } from './image-glob.ts';

const matches = (glob: string, image: string): boolean => matchesGlob(compileGlob(glob), imageName(image));
const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('matching images (row 1)', () => {
  const rows: readonly (readonly [image: string, glob: string, expected: boolean])[] = [
    ['nginx', 'index.docker.io/library/nginx:latest', true],
    ['nginx', 'index.docker.io/library/nginx', false],
    ['nginx', 'index.docker.io/library/*', true],
    ['nginx', 'index.docker.io/*', false],
    ['nginx', 'index.**', true],
    ['nginx', '**', true],
    ['nginx', '*', true],
    ['team/app', '*', false],
    ['team/app', '*/*', true],
    ['team/app', 'index.docker.io/team/*', true],
    ['ghcr.io/acme/app', '*/*', false],
    ['ghcr.io/acme/app', '*/**', true],
    ['ghcr.io/acme/app', 'ghcr.io/*/*', true],
    ['ghcr.io/acme/app', 'ghcr.io/*', false],
    ['ghcr.io/acme', 'ghcr.io/*/*', false],
    ['ghcr.io/acme/app:1', 'ghcr.io/acme/app:*', true],
    ['ghcr.io/acme/app:1', 'ghcr.io/acme/app', false],
    ['ghcr.io/acme/app', 'ghcr.io/acme/app:latest', true],
    ['xghcr.io/acme/app', 'ghcr.io/**', false],
    ['ghcr.io/acme/app-x', 'ghcr.io/acme/app', false],
    ['ghcrxio/acme', 'ghcr.io/**', false],
    ['localhost:5000/a/b', 'localhost:5000/**', true],
    ['ghcr.io/acme/app/deep/er', 'ghcr.io/**/er:latest', true],
    [`ghcr.io/acme/app@${DIGEST}`, 'ghcr.io/acme/app@sha256:*', true],
    // an image with both is known by its digest
    [`ghcr.io/acme/app:1@${DIGEST}`, 'ghcr.io/acme/app:1', false],
    [`ghcr.io/acme/app:1@${DIGEST}`, 'ghcr.io/acme/app@**', true],
    // the fallback: what was written, where that is not the full name
    ['nginx', 'nginx', true],
    ['nginx', 'ngi**', true],
    ['team/app', 'team/app', true],
  ];
  for (const [image, glob, expected] of rows)
    it(`${image} and ${glob}: ${expected}`, () => assert.equal(matches(glob, image), expected));

  it('refuses what is no image, whatever the glob', () => {
    assert.throws(() => matches('**', 'invalid&name'), { code: 'reference-malformed' });
  });
  it('refuses globs with other characters', () => {
    for (const glob of ['.+', '[a-z]*', 'a?b', '', 'ä']) assert.notEqual(globFault(glob), undefined, glob);
    assert.equal(globFault('index.docker.io/**:v1@x_-'), undefined);
  });
});

describe('a glob', () => {
  // The oracle is policy-controller's own translation into an expression.
  const expressionOf = (glob: string): RegExp =>
    new RegExp(
      `^${glob
        .replaceAll('.', String.raw`\.`)
        .replaceAll('**', '#')
        .replaceAll('*', '[^/]*')
        .replaceAll('#', '.*')}$`,
    );

  it('matches what its expression matches', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '*'), minLength: 1, maxLength: 8 });
    const names = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.'), maxLength: 10 });
    fc.assert(
      fc.property(letters, names, (glob, full) => {
        fc.pre(glob !== '*' && glob !== '*/*');
        const name = { reference: { registry: '', repository: '' }, full, written: full };
        assert.equal(matchesGlob(compileGlob(glob), name), expressionOf(glob).test(full));
      }),
      { numRuns: 2000 },
    );
  });

  it('that makes expressions backtrack takes no time', () => {
    const name = { reference: { registry: '', repository: '' }, full: 'a'.repeat(600), written: '' };
    assert.equal(matchesGlob(compileGlob(`${'**a'.repeat(300)}b`), name), false);
  });
});

// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { contentsOf, layerOf } from '../image.fixture.ts';

// Written by the specification of the database, https://wiki.alpinelinux.org/wiki/Apk_spec
const INSTALLED = `C:Q1p78yvTLG094tHE1+dToJGbmYzQE=
P:alpine-baselayout
V:3.6.8-r1
A:x86_64
S:8515
I:315392
T:Alpine base dir structure and init scripts
U:https://git.alpinelinux.org/cgit/aports/tree/main/alpine-baselayout
L:GPL-2.0-only
o:alpine-baselayout
m:Natanael Copa <ncopa@alpinelinux.org>
t:1739909508
c:f1ae8e4ca1dcf5f4f8c8a5a2b2c3a3a1b0c9d8e7
D:alpine-baselayout-data=3.6.8-r1 /bin/sh
p:cmd:mkmntdirs=3.6.8-r1
F:dev
M:0:0:755
F:etc
R:motd
Z:Q1SLkS9hBidUbPwwrw+XR0Whv3ww8=

C:Q1abc=
P:py3-demo
V:1.5.0-r2
A:noarch
T:A module
U:https://example.org/demo
L:MIT AND custom:demo
o:demo
m:Some One <one@example.org>
F:usr/lib/python3.12/site-packages/demo-1.5.0.dist-info
R:METADATA
Z:Q1abc=
F:usr/bin
R:demo
a:0:0:755
Z:Q1abc=
`;

describe('the database of apk', () => {
  for (const folder of ['lib/apk/db', 'usr/lib/apk/db']) {
    it(`in /${folder} tells packages, their origin, licence and files`, async () => {
      const { packages, findings, system } = await contentsOf([
        await layerOf(
          [`${folder}/installed`, INSTALLED],
          ['etc/os-release', 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.21.3\nPRETTY_NAME="Alpine Linux v3.21"\n'],
          [
            'usr/lib/python3.12/site-packages/demo-1.5.0.dist-info/METADATA',
            'Metadata-Version: 2.1\nName: demo\nVersion: 1.5.0\n\nText\n',
          ],
        ),
      ]);
      assert.deepEqual(findings, []);
      assert.equal(system?.prettyName, 'Alpine Linux v3.21');
      const [base, python, wheel] = packages;
      assert.equal(base?.purl, 'pkg:apk/alpine/alpine-baselayout@3.6.8-r1?arch=x86_64&distro=alpine-3.21.3');
      assert.equal(base?.licenceExpression, 'GPL-2.0-only');
      assert.equal(base?.supplier, 'Natanael Copa <ncopa@alpinelinux.org>');
      assert.equal(python?.purl, 'pkg:apk/alpine/py3-demo@1.5.0-r2?arch=noarch&distro=alpine-3.21.3&upstream=demo');
      assert.deepEqual(python?.licences, ['MIT AND custom:demo']);
      assert.equal(python?.licenceExpression, undefined);
      assert.equal(wheel?.purl, 'pkg:pypi/demo@1.5.0');
      assert.equal(wheel?.owner, python?.purl);
      assert.equal(packages.length, 3);
    });
  }

  it('tells the other packages where one has no version', async () => {
    const text = INSTALLED.replace('V:1.5.0-r2\n', '');
    const { packages, findings } = await contentsOf([await layerOf(['lib/apk/db/installed', text])]);
    assert.deepEqual(
      packages.map(({ name }) => name),
      ['alpine-baselayout'],
    );
    assert.deepEqual(
      findings.map(({ code, path }) => [code, path]),
      [['file-malformed', '/lib/apk/db/installed']],
    );
  });

  it('that is a link is a finding', async () => {
    const layer = await layerOf(['lib/apk/db/installed', { type: 'symlink', linkname: '/elsewhere' }]);
    const { findings } = await contentsOf([layer]);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['link-not-followed'],
    );
  });
});

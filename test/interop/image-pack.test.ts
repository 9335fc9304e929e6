// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { containersEnvironment, interop } from './clients.ts';
import { BULLA, Lab, succeed } from './lab.ts';

// What `bulla image pack` makes is an image like any other.

const lab = new Lab();
after(() => lab.close());

interop('skopeo and crane read what bulla packed', ['skopeo', 'crane'], async ([skopeo, crane]) => {
  const { host } = await lab.serveBulla();
  const home = lab.folder();
  mkdirSync(join(home, 'site', 'sub'), { recursive: true });
  writeFileSync(join(home, 'site', 'index.html'), '<p>hello</p>\n');
  writeFileSync(join(home, 'site', 'sub', 'ünïcode name'), 'x\n');
  const image = `${host}/packed/site:1`;
  await succeed(BULLA, ['image', 'pack', 'site', image], home);
  await succeed(crane, ['validate', '--remote', image], home);
  const listed = await succeed(crane, ['export', image, 'site.tar'], home);
  assert.equal(listed.code, 0);
  assert.ok(readFileSync(join(home, 'site.tar')).includes('<p>hello</p>\n'));
  const inspected = await succeed(skopeo, ['inspect', '--tls-verify=false', `docker://${image}`], home);
  const { Digest, Layers } = JSON.parse(inspected.stdout) as { Digest: string; Layers: readonly string[] };
  assert.equal(Digest, (await succeed(crane, ['digest', image], home)).stdout.trim());
  assert.equal(Layers.length, 1);
  // the same folder is the same image, so that a build can be repeated
  await succeed(BULLA, ['image', 'pack', 'site', `${host}/packed/site:2`], home);
  assert.equal((await succeed(crane, ['digest', `${host}/packed/site:2`], home)).stdout.trim(), Digest);
});

interop(
  'podman and buildah take what bulla packed, and a program in it runs',
  ['podman', 'buildah'],
  async ([podman, buildah]) => {
    const { host } = await lab.serveBulla();
    const home = lab.folder();
    const env = containersEnvironment(home);
    mkdirSync(join(home, 'service', 'bin'), { recursive: true });
    // the one program that is linked statically on every Debian machine
    copyFileSync('/sbin/ldconfig', join(home, 'service', 'bin', 'service'));
    const image = `${host}/packed/service:1`;
    await succeed(BULLA, ['image', 'pack', 'service', image], home);
    await succeed(podman, ['pull', '--tls-verify=false', image], home, env);
    const [created] = (await succeed(podman, ['create', image, '/bin/service'], home, env)).stdout.split('\n');
    await succeed(podman, ['cp', `${created}:/bin/service`, 'out'], home, env);
    assert.deepEqual(readFileSync(join(home, 'out')), readFileSync('/sbin/ldconfig'));
    await succeed(podman, ['rm', created ?? ''], home, env);
    const container = (await succeed(buildah, ['from', '--tls-verify=false', image], home, env)).stdout.trim();
    const run = await succeed(
      buildah,
      ['run', '--isolation', 'chroot', container, '--', '/bin/service', '--version'],
      home,
      env,
    );
    assert.match(run.stdout, /^ldconfig /);
  },
);

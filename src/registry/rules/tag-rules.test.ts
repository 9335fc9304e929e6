// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RegistryServeError } from '../serve-error.ts';
import { TagRules } from './tag-rules.ts';

const HEX = 'ab'.repeat(32);

describe('tag rules', () => {
  test('protect nothing but seals where there are none', () => {
    const rules = new TagRules();
    assert.equal(rules.protection('team/app', 'v1').kind, 'none');
    for (const tag of [
      `sha256-${HEX}`,
      `sha256-${HEX}.sig`,
      `sha256-${HEX}.att`,
      `sha256-${HEX}.sbom`,
      `sha512-${HEX}`,
    ]) {
      assert.equal(rules.protection('team/app', tag).kind, 'append-only', tag);
    }
  });

  test('take nothing else for a seal', () => {
    const rules = new TagRules(['**:*']);
    for (const tag of [
      `sha256-${HEX}.x`,
      `sha256-${HEX}0`,
      `sha256-${HEX.slice(1)}`,
      `xsha256-${HEX}`,
      `sha256-${HEX.toUpperCase()}`,
    ]) {
      assert.equal(rules.protection('team/app', tag).kind, 'write-once', tag);
    }
  });

  test('name the rule that protects', () => {
    const rules = new TagRules(['other/**:*', 'team/*:v*']);
    assert.deepEqual(rules.protection('team/app', 'v1'), { kind: 'write-once', rule: "--write-once 'team/*:v*'" });
    assert.equal(rules.protection('team/app', 'latest').kind, 'none');
    assert.equal(rules.protection('team/app/web', 'v1').kind, 'none');
  });

  test('are excepted by mutable rules, also for seals', () => {
    const rules = new TagRules(['**:*'], ['dev/**:*', '**:sha256-*.sbom']);
    assert.equal(rules.protection('dev/app', 'v1').kind, 'none');
    assert.equal(rules.protection('dev/app', `sha256-${HEX}.sig`).kind, 'none');
    assert.equal(rules.protection('team/app', `sha256-${HEX}.sbom`).kind, 'none');
    assert.equal(rules.protection('team/app', `sha256-${HEX}.sig`).kind, 'append-only');
    assert.equal(rules.protection('team/app', 'v1').kind, 'write-once');
  });

  for (const text of [
    '',
    ':',
    'app',
    'app:',
    ':v1',
    'App:v1',
    'app:v 1',
    'app:a/b',
    'a:b:c',
    '***:*',
    `${'a'.repeat(256)}:*`,
  ]) {
    test(`refuse ${JSON.stringify(text.slice(0, 20))} and say what was expected`, () => {
      for (const make of [() => new TagRules([text]), () => new TagRules([], [text])]) {
        assert.throws(make, (error) => {
          assert.ok(error instanceof RegistryServeError && error.code === 'rule-malformed');
          assert.match(error.message, /^--(write-once|mutable) ".*" is not a rule \(expected REPOSITORY-GLOB:TAG-GLOB/);
          return true;
        });
      }
    });
  }
});

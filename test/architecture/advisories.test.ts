// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

// What a policy means in policy-controller (rows 1 to 11), and what has gone wrong in other gates, clients and services: each has a test,
// wherever that lies. Here it is held that there still is one of that name.

const ROOT = join(import.meta.dirname, '..', '..');
const SEMANTICS = 'src/policy/semantics.test.ts';
const ADVISORIES = 'src/policy/advisories.test.ts';
const GATE = 'src/gate/admission';

/** A file, and the beginning of the name of a test or group in it. */
type Shown = readonly [file: string, name: string];

const ROWS: Readonly<Record<string, readonly Shown[]>> = {
  '1: matching': [
    [SEMANTICS, 'row 1:'],
    ['src/policy/match/image-glob.test.ts', 'matching'],
  ],
  '2: tags, otherwise on purpose': [[SEMANTICS, 'row 2, different on purpose']],
  '3: policies AND, authorities OR': [[SEMANTICS, 'row 3:']],
  '4: the policy over authorities': [[SEMANTICS, 'row 4:']],
  '5: the policy over a statement': [
    [SEMANTICS, 'row 5:'],
    ['src/policy/engine/rego-engine.test.ts', ''],
    ['src/policy/engine/cue-engine.test.ts', ''],
  ],
  '6: no match': [[SEMANTICS, 'row 6:']],
  '7: warn': [[SEMANTICS, 'row 7:']],
  '8: what is not judged': [
    [`${GATE}/changed-images.test.ts`, 'is let through: DELETE, CONNECT, status, scale'],
    [`${GATE}/changed-images.test.ts`, 'is not let through for a deletionTimestamp that its author wrote'],
  ],
  '9: logs': [[SEMANTICS, 'row 9:']],
  '10: formats, otherwise on purpose': [[SEMANTICS, 'row 10, different on purpose']],
  '11: the rules of the webhooks': [['test/chain/admission-install.test.ts', 'is asked about every kind of workload']],
};

const HOSTILE = 'src/oci/remote/hostile-registry.test.ts';
const AUTHORIZATION = 'src/oci/remote/authorization.test.ts';

const KNOWN: Readonly<Record<string, readonly Shown[]>> = {
  'CVE-2022-35930, GHSA-739f-hw6h-7wq8': [[ADVISORIES, 'CVE-2022-35930']],
  'CVE-2022-35929, GHSA-vjxv-45g9-9296': [[ADVISORIES, 'CVE-2022-35930, CVE-2022-35929']],
  'policy-controller PR#1971': [[ADVISORIES, 'KV #16336, PC PR#1971']],
  'CVE-2022-36056, GHSA-8gw7-4j42-w388': [
    [ADVISORIES, 'CVE-2022-36056'],
    ['src/cli/commands/verify-blob.test.ts', ''],
  ],
  'CVE-2026-22703, GHSA-whqx-f9j3-ch6m': [
    [ADVISORIES, 'CVE-2026-22703'],
    ['src/trust/log/verify-entry.test.ts', 'signature (CVE-2022-23649, CVE-2026-22703)'],
  ],
  'CVE-2023-46737, GHSA-vfp6-jrw2-99g9': [
    [ADVISORIES, 'CVE-2023-46737'],
    [HOSTILE, '10,000 referrers are listed, and no more'],
  ],
  'GHSA-88jx-383q-w4qc, GHSA-95pr-fxf5-86gv': [
    [ADVISORIES, 'GHSA-88jx-383q-w4qc'],
    [HOSTILE, 'a body that announces too much is not read at all'],
  ],
  'GHSA-cq2j-v5qh-cjqh': [
    [ADVISORIES, 'GHSA-88jx-383q-w4qc, GHSA-95pr-fxf5-86gv, GHSA-cq2j-v5qh-cjqh'],
    [HOSTILE, 'a body without end is read up to its cap'],
  ],
  'CVE-2022-47633, GHSA-m3cq-xcx9-3gvm': [
    [ADVISORIES, 'CVE-2022-47633'],
    [`${GATE}/admission-gate.test.ts`, 'by moving the tag in between is closed'],
  ],
  'GHSA-2r43-6962-xcw5': [[ADVISORIES, 'GHSA-2r43-6962-xcw5']],
  'kyverno #17173': [
    [ADVISORIES, 'KV #17173'],
    [`${GATE}/image-judge.test.ts`, 'is decided by the policies of now'],
  ],
  'kyverno #16336': [
    [ADVISORIES, 'KV #16336'],
    [`${GATE}/admission-gate.test.ts`, 'by an annotation that says it was verified is closed'],
  ],
  'CVE-2025-29778, GHSA-46mp-8w32-6g94': [[ADVISORIES, 'CVE-2025-29778']],
  'CVE-2025-46342, GHSA-jrr2-x33p-6hvc': [
    [ADVISORIES, 'CVE-2025-46342'],
    [`${GATE}/admission-gate.test.ts`, 'does not judge namespaces that are excluded by their name, and no other'],
  ],
  'CVE-2024-48921, GHSA-qjvc-p88j-j9rm': [
    ['src/policy/exception/exceptions.test.ts', 'is refused where it is by somebody else'],
    ['src/policy/exception/exceptions.test.ts', 'counts for nothing where the settings name nobody'],
    ['src/policy/exception/exceptions.test.ts', 'counts until it expires'],
  ],
  'CVE-2023-34091': [
    [`${GATE}/changed-images.test.ts`, 'is not let through for a deletionTimestamp that its author wrote'],
  ],
  'CVE-2023-47630, CVE-2023-42813 to 42816': [
    [HOSTILE, 'content that is not what was asked for is refused, and not kept'],
    [HOSTILE, 'a tag whose content is not what the registry says it names is refused'],
  ],
  'CVE-2026-4789, GHSA-rggm-jjmc-3394; CVE-2026-41323, GHSA-f9g8-6ppc-pqq4': [[ADVISORIES, 'CVE-2026-4789']],
  'CVE-2025-27403': [
    [ADVISORIES, 'CVE-2025-27403'],
    [AUTHORIZATION, 'credentials do not travel to another host without TLS'],
    [AUTHORIZATION, 'a token server that names a user and password in its own URL does not get them sent'],
  ],
  'CVE-2023-33958': [[ADVISORIES, 'CVE-2023-46737, CVE-2023-33958']],
  'Crossplane: a tag between check and use': [[ADVISORIES, 'CVE-2022-47633, Crossplane']],
  'CVE-2026-32280': [
    ['src/trust/certificate/certificate.test.ts', 'more than ten'],
    ['src/trust/bundle/bundle.test.ts', 'more than 16 certificates'],
  ],
};

const ENTRY = 'src/trust/log/verify-entry.test.ts';
const CHAIN = 'src/trust/certificate/verify-chain.test.ts';
const IDENTITY = 'src/trust/verify-by-identity.test.ts';
const CLOCK = 'src/trust/timestamp/verify-timestamp.test.ts';
const MIRROR = 'src/keyless/root/load-mirror.test.ts';
const TOKEN = 'src/stack/certificate-authority/token';

// Clients and services of Sigstore, where what was made known of them is not in the table above.
const SIGSTORE: Readonly<Record<string, readonly Shown[]>> = {
  'CVE-2022-23649, GHSA-ccxc-vr6p-4858': [[ENTRY, 'signature (CVE-2022-23649, CVE-2026-22703)']],
  'CVE-2026-24122, GHSA-wfqv-66vq-46rm': [
    [CLOCK, 'whose issuer was no longer valid at that time, although the leaf was (CVE-2026-24122)'],
    [CHAIN, 'when the certificate was valid at one of the times and not at the other'],
  ],
  'CVE-2026-39395, GHSA-w6c6-c85g-mmv6': [
    ['test/chain/bad-attestation.test.ts', 'lay the attestation beside the file, and refuse it for another file, type'],
  ],
  'CVE-2024-45395, GHSA-cq38-jh5f-37mq': [
    ['src/trust/bundle/bundle.test.ts', 'more than 32 log entries (GHSA-cq38-jh5f-37mq)'],
  ],
  'GHSA-9vcr-p3rj-q5q6': [
    [IDENTITY, 'entered in one log as two kinds, where two logs are wanted'],
    ['src/trust/certificate/verify-scts.test.ts', 'counts logs, not timestamps'],
  ],
  'GHSA-wqqc-jjcq-vfxm': [[ENTRY, 'with a retired key, which could make entries for new signatures']],
  'CVE-2026-24137, GHSA-fcv2-xgw5-pqxf': [[MIRROR, 'writes nothing beside its folder']],
  'go-tuf GHSA-fphv-w9fq-2525': [[MIRROR, 'refuses a root by which ']],
  'go-tuf GHSA-jqc5-w2xx-5vq4': [[MIRROR, 'writes nothing beside its folder']],
  'go-tuf CVE-2024-47534': [[MIRROR, 'takes a target from the first role to which it is left']],
  'go-tuf GHSA-66x3-6cw3-v5gj': [[MIRROR, 'refuses to go back']],
  'rekor CVE-2023-30551, CVE-2023-33199, GHSA-273p-m2cw-6833, GHSA-843x-px86-vq42': [
    ['src/stack/rekor/rekor-v1.test.ts', 'of a kind that is not taken, by its name'],
    ['src/stack/rekor/rekor-v1.test.ts', 'no request, however malformed, is answered by anything but a coded error'],
  ],
  'rekor CVE-2026-24117, GHSA-4c4x-jm2x-pf9j': [
    ['src/stack/rekor/search.test.ts', 'for a key that is none, of another format, or at an address that the log'],
  ],
  'fulcio GHSA-f83f-xpx7-ffpw': [[`${TOKEN}/bad-token.test.ts`, 'of three dots, of one, of none, and of a million']],
  'fulcio GHSA-59jp-pj84-45mr': [
    ['src/stack/certificate-authority/issuers/decode-issuers.test.ts', 'by a pattern only as a whole'],
  ],
  'fulcio GHSA-f5mr-q85p-6hh6': [
    [`${TOKEN}/remote-keys.test.ts`, 'by a redirect to '],
    [`${TOKEN}/remote-keys.test.ts`, 'by its jwks_uri '],
  ],
  'timestamp-authority CVE-2025-66564, CVE-2026-39984, CVE-2026-49835': [
    [CLOCK, 'that is not the trusted leaf, whichever certificates are put before it'],
    [CLOCK, 'that names the trusted leaf outside of what it signed, and itself inside'],
  ],
  'gitsign CVE-2023-47122, GHSA-8pmp-678w-c8xx': [
    [ENTRY, 'that nobody trusts, or that it does not name'],
    ['src/keyless/log/log-witness.test.ts', 'refuses an entry about another signature'],
  ],
  'sigstore-rust#160': [
    [ENTRY, 'of another time, place, body or log, or by another key'],
    [CHAIN, 'when the certificate was valid at one of the times and not at the other'],
  ],
};

for (const [title, table] of [
  ['what a ClusterImagePolicy means', ROWS],
  ['what was made known of other gates', KNOWN],
  ['what was made known of clients and services', SIGSTORE],
] as const)
  describe(`${title} has its test`, () => {
    for (const [id, shown] of Object.entries(table))
      it(id, () => {
        for (const [file, name] of shown) {
          assert.ok(existsSync(join(ROOT, file)), `there is no ${file}`);
          const text = readFileSync(join(ROOT, file), 'utf8');
          const found = ["'", '`', '"'].some((quote) => text.includes(quote + name));
          assert.ok(found, `${file} has no test '${name}'`);
        }
      });
  });

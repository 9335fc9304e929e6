// SPDX-License-Identifier: Apache-2.0

/** The kind of predicate: cosign's names, or any URI. */
export const PREDICATE_TYPE_FLAG = {
  type: {
    kind: 'string',
    default: 'custom',
    placeholder: 'TYPE',
    help: 'kind of predicate: custom, slsaprovenance, slsaprovenance02, slsaprovenance1, link, spdx, spdxjson, cyclonedx, vuln, openvex, test-result, vsa, or a URI',
  },
} as const;

/** Refuses what is only warned of otherwise. */
export const STRICT_PREDICATE_FLAG = {
  'strict-predicate': {
    kind: 'boolean',
    help: 'refuse a predicate that is not in the form of its kind, instead of warning of it',
  },
} as const;

/** What is attested. */
export const ATTESTED_CONTENT_FLAGS = {
  predicate: { kind: 'string', placeholder: 'FILE', help: 'file with the predicate; - for standard input' },
  statement: {
    kind: 'string',
    placeholder: 'FILE',
    help: 'file with a whole in-toto statement (0.1 or 1) to sign as it is, instead of a predicate; - for standard input',
  },
  'statement-version': {
    kind: 'string',
    choices: ['0.1', '1'],
    default: '0.1',
    placeholder: '0.1|1',
    help: 'version of the in-toto statement that is made of the predicate',
  },
} as const;

/** How an attestation of an image is made and laid. */
export const ATTEST_FLAGS = {
  recursive: { kind: 'boolean', short: 'r', help: 'attest it of the images of an index as well' },
  replace: {
    kind: 'boolean',
    help: 'take the place of older attestations of that type in an .att tag, whoever made them; referrers stay',
  },
  'no-upload': {
    kind: 'boolean',
    help: 'make the attestation and lay it nowhere: to --bundle, or an envelope to stdout',
  },
  bundle: { kind: 'string', placeholder: 'FILE', help: 'write the bundle to FILE too' },
  'record-creation-timestamp': { kind: 'boolean', help: 'keep the time in the config of an .att manifest' },
  'attachment-tag-prefix': { kind: 'string', default: '', placeholder: 'PREFIX', help: 'prefix of the .att tag' },
  'rekor-entry-type': {
    kind: 'string',
    default: 'dsse',
    choices: ['dsse', 'intoto'],
    help: 'kind of the entry in the log',
    hidden: true,
    refused: 'an attestation is logged as kind dsse, which every verifier reads',
  },
} as const;

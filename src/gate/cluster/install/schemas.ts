// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../../wire/index.ts';

type Schema = { readonly [key: string]: Json };

// What is written down here, the API server refuses early; what is not, it keeps. A schema that let go of fields it does not know would make a
// policy with a mistyped field a laxer one without a word: the gate reads every field, and refuses those that nobody knows.
const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
  ...(Object.keys(properties).length === 0 ? {} : { properties }),
  ...(required.length === 0 ? {} : { required: [...required] }),
});
const list = (items: Schema, more: Schema = {}): Schema => ({ type: 'array', items, ...more });
const oneOf = (...values: readonly string[]): Schema => ({ type: 'string', enum: [...values] });
const anything: Schema = { 'x-kubernetes-preserve-unknown-fields': true };

const key = object({ data: text, kms: text, hashAlgorithm: text, secretRef: object({ name: text, namespace: text }) });
const program = object({
  type: oneOf('cue', 'rego', 'cel'),
  data: text,
  configMapRef: object({ name: text, namespace: text, key: text }),
  remote: object({ url: text, sha256sum: text }),
  fetchConfigFile: flag,
  includeSpec: flag,
  includeObjectMeta: flag,
  includeTypeMeta: flag,
});
const identity = object({
  issuer: text,
  issuerRegExp: text,
  subject: text,
  subjectRegExp: text,
  claims: object({}),
  claimsRegExp: object({}),
});
const keyless = object({
  url: text,
  'ca-cert': key,
  identities: list(identity),
  trustRootRef: text,
  insecureIgnoreSCT: flag,
});
const authority = object({
  name: text,
  key,
  keyless,
  static: object({ action: oneOf('pass', 'fail'), message: text }),
  source: list(object({ oci: text, tagPrefix: text, signaturePullSecrets: list(object({ name: text })) })),
  ctlog: object({ url: text, trustRootRef: text }),
  rfc3161timestamp: object({ trustRootRef: text }),
  attestations: list(object({ name: text, predicateType: text, policy: program })),
  signatureFormat: text,
  threshold: { type: 'integer', minimum: 1 },
  maxAge: text,
});
const POLICY = object(
  {
    images: list(object({ glob: text }, ['glob']), { minItems: 1 }),
    match: list(object({ group: text, version: text, resource: text, selector: object({}) })),
    mode: oneOf('enforce', 'warn'),
    authorities: list(authority),
    policy: program,
  },
  ['images'],
);
const certified = object({ subject: object({ organization: text, commonName: text }), uri: text, certChain: text });
const log = object({ baseURL: text, hashAlgorithm: text, publicKey: text });
const TRUST_ROOT = object({
  remote: object({ mirror: text, root: text, targets: text, trustedRootTarget: text }),
  repository: object({ root: text, mirrorFS: text, targets: text, trustedRootTarget: text }),
  sigstoreKeys: object({
    certificateAuthorities: list(certified),
    timestampAuthorities: list(certified),
    tLogs: list(log),
    ctLogs: list(log),
  }),
});
const SETTINGS = object({
  noMatchPolicy: oneOf('deny', 'warn', 'allow'),
  mirrors: list(object({ upstream: text, mirror: text }, ['upstream', 'mirror'])),
  revocations: list(object({ key, identity, since: text, reason: text })),
  gates: list(object({ name: text, key, keyless })),
  vsa: object({ demand: flag, maxAge: text }),
  exceptions: object({ signers: list(object({ name: text, key, keyless })), maxLifetime: text }),
});
const EXCEPTION = object({ bundle: anything }, ['bundle']);

const STATUS = object({
  observedGeneration: { type: 'integer', format: 'int64' },
  conditions: list(
    object({ type: text, status: text, reason: text, message: text, lastTransitionTime: text }, ['type', 'status']),
  ),
});

interface Definition {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly scope: 'Cluster' | 'Namespaced';
  /** the last is the one in which objects are stored */
  readonly versions: readonly string[];
  readonly spec: Schema;
}

const DEFINITIONS: readonly Definition[] = [
  {
    group: 'policy.sigstore.dev',
    kind: 'ClusterImagePolicy',
    plural: 'clusterimagepolicies',
    singular: 'clusterimagepolicy',
    shortNames: ['cip'],
    scope: 'Cluster',
    versions: ['v1alpha1', 'v1beta1'],
    spec: POLICY,
  },
  {
    group: 'policy.sigstore.dev',
    kind: 'TrustRoot',
    plural: 'trustroots',
    singular: 'trustroot',
    shortNames: [],
    scope: 'Cluster',
    versions: ['v1alpha1'],
    spec: TRUST_ROOT,
  },
  {
    group: 'policy.bulla',
    kind: 'PolicySettings',
    plural: 'policysettings',
    singular: 'policysettings',
    shortNames: [],
    scope: 'Cluster',
    versions: ['v1alpha1'],
    spec: SETTINGS,
  },
  {
    group: 'policy.bulla',
    kind: 'PolicyException',
    plural: 'policyexceptions',
    singular: 'policyexception',
    shortNames: [],
    scope: 'Namespaced',
    versions: ['v1alpha1'],
    spec: EXCEPTION,
  },
];

/**
 * The definitions of ClusterImagePolicy and TrustRoot, which take whatever policy-controller's take, and of the resources that are Bulla's own.
 *
 * @see https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
 */
export function customResourceDefinitions(): readonly Json[] {
  return DEFINITIONS.map(({ group, kind, plural, singular, shortNames, scope, versions, spec }) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular,
        categories: ['bulla'],
        ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
      },
      scope,
      conversion: { strategy: 'None' },
      versions: versions.map((version, at) => ({
        name: version,
        served: true,
        storage: at === versions.length - 1,
        subresources: { status: {} },
        additionalPrinterColumns: columnsOf(kind),
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { apiVersion: text, kind: text, metadata: { type: 'object' }, spec, status: STATUS },
            required: ['spec'],
          },
        },
      })),
    },
  }));
}

function columnsOf(kind: string): Json {
  const ready = (field: string): string => `.status.conditions[?(@.type=="Ready")].${field}`;
  return [
    ...(kind === 'ClusterImagePolicy' ? [{ name: 'Mode', type: 'string', jsonPath: '.spec.mode' }] : []),
    { name: 'Ready', type: 'string', jsonPath: ready('status') },
    { name: 'Message', type: 'string', priority: 1, jsonPath: ready('message') },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ];
}

// SPDX-License-Identifier: Apache-2.0
import { encodeStatement, printable, statedArtifacts, type Statement } from '../../trust/index.ts';
import { digestAlgorithm, digestHex, isDigest, repositoryName, type Digest } from '../../oci/index.ts';
import { isJsonObject, type Json } from '../../wire/index.ts';
import { PolicyError } from '../error.ts';
import { imageName } from '../match/image-glob.ts';

/** The predicate type of exceptions: ours, described in docs/policies.md. */
export const EXCEPTION_PREDICATE_TYPE = 'https://bulla.dev/exception/v1';

/** What lifts all policies. No policy can be called so. */
export const ALL_POLICIES = '*';

/** That an image may run though policies are not met, until a time. */
export interface ExceptionTerms {
  /** names of the policies that it lifts, or `*` alone for all */
  readonly policies: readonly string[];
  readonly reason: string;
  /** who answers for it */
  readonly approver: string;
  readonly issued: Date;
  readonly expires: Date;
}

/** The terms, and the images that they are about. */
export interface StatedException extends ExceptionTerms {
  readonly digests: readonly Digest[];
  /** names of their repositories, where the statement has them */
  readonly repositories: readonly string[];
}

const MAX_POLICIES = 1000;
const MAX_REASON = 2000;
const MAX_APPROVER = 500;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;
/** A name as Kubernetes has it. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/**
 * The statement of an exception, to be signed: over a digest, never a tag.
 *
 * @param image `registry/repository@sha256:…`
 * @throws PolicyError `statement-unusable`; ReferenceFault
 */
export function exceptionStatement(image: string, terms: ExceptionTerms): Uint8Array {
  const { reference } = imageName(image);
  const { digest } = reference;
  if (digest === undefined || !isDigest(digest))
    throw unusable(`${image} names no digest, and a tag may be another image tomorrow`);
  const { policies, reason, approver, issued, expires } = terms;
  const predicate: Json = {
    policies: [...policies],
    reason,
    approver,
    issued: issued.toISOString(),
    expires: expires.toISOString(),
  };
  readTerms(predicate);
  return encodeStatement({
    version: '1',
    subjects: [
      { name: repositoryName(reference), digest: { algorithm: digestAlgorithm(digest), hex: digestHex(digest) } },
    ],
    predicateType: EXCEPTION_PREDICATE_TYPE,
    predicate,
  });
}

/** What a statement excepts. @throws PolicyError `statement-unusable` */
export function readException(statement: Statement): StatedException {
  const { predicateType, predicate, subjects } = statement;
  if (predicateType !== EXCEPTION_PREDICATE_TYPE)
    throw unusable(`the predicate type ${printable(predicateType, 200)}, expected ${EXCEPTION_PREDICATE_TYPE}`);
  const digests = statedArtifacts(statement).flatMap((artifact): readonly Digest[] => {
    const digest = artifact.kind === 'digest' ? `${artifact.algorithm}:${artifact.hex}` : '';
    return isDigest(digest) ? [digest] : [];
  });
  if (digests.length === 0) throw unusable('no subject with the digest of an image');
  const repositories = subjects.flatMap(({ name }) => name ?? []);
  return { ...readTerms(predicate), digests, repositories };
}

function readTerms(predicate: Json | undefined): ExceptionTerms {
  if (!isJsonObject(predicate)) throw unusable('no predicate');
  const { policies } = predicate;
  if (!Array.isArray(policies) || policies.length === 0 || policies.length > MAX_POLICIES)
    throw unusable(`no list 'policies' of 1 to ${MAX_POLICIES} names, or '*' alone`);
  const names = policies.map((name: Json) => {
    const good = typeof name === 'string' && (NAME.test(name) || (name === ALL_POLICIES && policies.length === 1));
    if (!good) throw unusable(`'policies' with something that is no name of a policy`);
    return name;
  });
  const [issued, expires] = [timeOf(predicate, 'issued'), timeOf(predicate, 'expires')];
  if (expires <= issued) throw unusable('that it expires before it is issued');
  const reason = textOf(predicate, 'reason', MAX_REASON);
  const approver = textOf(predicate, 'approver', MAX_APPROVER);
  return { policies: names, reason, approver, issued, expires };
}

type JsonObject = { readonly [name: string]: Json };

function textOf(predicate: JsonObject, name: string, max: number): string {
  const text = predicate[name];
  if (typeof text === 'string' && text.trim() !== '' && text.length <= max) return text;
  throw unusable(`no text '${name}' of 1 to ${max} characters`);
}

function timeOf(predicate: JsonObject, name: string): Date {
  const text = predicate[name];
  const time = new Date(typeof text === 'string' && TIME.test(text) ? text : Number.NaN);
  if (Number.isNaN(time.getTime())) throw unusable(`no time '${name}' such as 2026-01-02T03:04:05Z`);
  return time;
}

function unusable(found: string): PolicyError {
  return new PolicyError('statement-unusable', `an exception: ${found}`);
}

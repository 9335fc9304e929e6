// SPDX-License-Identifier: Apache-2.0
import { createHash, hash } from 'node:crypto';
import { draftLeaf, finishLeaf, randomSerialNumber, type PublicKey } from '../../trust/index.ts';
import type { CertifiedIdentity } from './identity/certified-identity.ts';
import { identify } from './identity/identify.ts';
import {
  chainName,
  checkIssuance,
  isValid,
  requireValid,
  LIFE_MS,
  type CertificateChain,
  type Issuance,
} from './issuance/signing-authority.ts';
import type { IssuedUse, TokenUse, UseLedger } from './issuance/use-ledger.ts';
import type { IssuerDirectory } from './issuers/issuer-directory.ts';
import type { TokenIssuer } from './issuers/token-issuer.ts';
import type { ClientKeyKind } from './key/client-key.ts';
import { provenKey, type KeyRequest } from './key/proven-key.ts';
import { logPrecertificate } from './log/log-precertificate.ts';
import { quoted } from './quoted.ts';
import { CertificateRefusal } from './refusal.ts';
import { admit } from './rules/admit.ts';
import { describeRule, type Rule } from './rules/rule.ts';
import type { KeyRing } from './token/key-ring.ts';
import { readToken, type UnverifiedToken } from './token/token.ts';
import { verifyToken } from './token/verify-token.ts';

/** What somebody asks for. */
export interface SigningRequest {
  /** a JWT: who asks */
  readonly token: string;
  readonly key: KeyRequest;
  /** what the client calls itself, for the record */
  readonly client?: string;
}

/** What somebody gets. */
export interface IssuedCertificate {
  /** DER */
  readonly leaf: Uint8Array;
  /** from its issuer to the root */
  readonly chain: CertificateChain;
}

/** What the authority works with. */
export interface AuthorityParts {
  readonly issuers: IssuerDirectory;
  readonly keys: KeyRing;
  readonly rules: readonly Rule[];
  readonly ledger: UseLedger;
  readonly now: () => Date;
  readonly clientKeys: readonly ClientKeyKind[];
  /** certificates that one token gets at most */
  readonly certificatesPerToken?: number;
}

/** A certificate that was issued is answered again until this much of its life is left. */
const USABLE_MS = 60_000;
const MAX_CLIENT = 200;

/** A verified token and what follows from it. */
interface Asked {
  readonly token: UnverifiedToken;
  readonly identity: CertifiedIdentity;
  readonly rule: Rule;
  readonly publicKey: PublicKey;
  /** SHA-256 over token, key and proof: the same for a request that is sent again */
  readonly request: Buffer;
  readonly client: string;
}

/**
 * Certifies keys to whoever a token says they are, if a rule admits them. The life of a request:
 *
 *     1. the token is read, its issuer found, its signature, audience and times checked
 *     2. whom it is about; which rule admits it; whether the key is sound and theirs     a refusal from here on is recorded
 *     3. the same request again: the same certificate, if it has some life left
 *     4. the certificate is drafted, its precertificate signed
 *     5. the log has it, on the disk                   a crash before: nothing happened
 *     6. timestamp and certificate are signed          a crash here: logged, given to nobody
 *     7. the use is recorded, on the disk, with the certificate
 *     8. the answer                                    a crash here: the retry finds it at 3
 */
export class CertificateAuthority {
  readonly #parts: AuthorityParts;
  #issuance: Issuance;
  /** the newest first */
  #chains: readonly CertificateChain[];
  readonly #underWay = new Map<string, Promise<IssuedCertificate>>();
  readonly #tokensUnderWay = new Map<string, number>();

  /** @param retired chains that issued before, the newest first */
  constructor(parts: AuthorityParts, issuance: Issuance, retired: readonly CertificateChain[]) {
    this.#parts = parts;
    this.#issuance = issuance;
    this.#chains = withoutDoubles([issuance.authority.chain, ...retired]);
  }

  /**
   * Issues a certificate for ten minutes.
   *
   * @throws CertificateRefusal; StoreError and what the log and the signers throw, after which nothing was given out
   */
  async issue(request: SigningRequest): Promise<IssuedCertificate> {
    const { issuers, keys, now } = this.#parts;
    const token = readToken(request.token);
    const issuer = issuers.find(token.issuer);
    if (issuer === undefined)
      throw new CertificateRefusal(
        'issuer-unknown',
        `the identity token is from ${quoted(token.issuer)}, which is none of the issuers that are configured here`,
      );
    await verifyToken(token, keys.of(issuer, token.issuer), issuer.audience, now());
    const client = request.client?.slice(0, MAX_CLIENT) ?? '';
    try {
      const asked = await this.#judge(token, issuer, request.key, client);
      return await this.#once(asked);
    } catch (error) {
      if (error instanceof CertificateRefusal) {
        // What the message of another refusal says a stranger can choose, and so write as many lines as there are messages.
        const why = error.code === 'rule-refused' ? `${error.code}: ${error.message}` : error.code;
        await this.#parts.ledger.record({ ...useOf(token, client), time: now(), outcome: { kind: 'refused', why } });
      }
      throw error;
    }
  }

  /** All chains under which a certificate may be met that is still valid, the one that issues first. */
  trustBundle(): readonly CertificateChain[] {
    const now = this.#parts.now();
    const [current, ...retired] = this.#chains;
    const usable = retired.filter((chain) => chain.every(({ notAfter }) => notAfter > now));
    return current === undefined ? usable : [current, ...usable];
  }

  /** What issues now. */
  issuance(): Issuance {
    return this.#issuance;
  }

  /** The issuers whose tokens are read. */
  issuers(): readonly TokenIssuer[] {
    return this.#parts.issuers.all;
  }

  /** The rules in force, one line each. */
  describeRules(): readonly string[] {
    return this.#parts.rules.map((rule) => describeRule(rule));
  }

  /**
   * Issues by another authority, and logs in another log or by another key, from the next request on. The chain that issued before stays
   * in the trust bundle for as long as it is valid.
   *
   * @throws AuthorityError `authority-malformed`; then nothing has changed
   */
  async replace(issuance: Partial<Issuance>): Promise<void> {
    const next = { ...this.#issuance, ...issuance };
    await checkIssuance(next);
    if (issuance.authority !== undefined) requireValid(next.authority.chain, this.#parts.now());
    this.#issuance = next;
    this.#chains = withoutDoubles([next.authority.chain, ...this.#chains]);
  }

  /**
   * Of the chains that issued before, goes by these alone, the newest first: others are told of no more, and certificates under them are not
   * answered again.
   */
  keepRetired(chains: readonly CertificateChain[]): void {
    this.#chains = withoutDoubles([this.#issuance.authority.chain, ...chains]);
  }

  async #judge(token: UnverifiedToken, issuer: TokenIssuer, key: KeyRequest, client: string): Promise<Asked> {
    const { rules, clientKeys } = this.#parts;
    const { claims } = token;
    const identity = identify(issuer, claims);
    const rule = admit(rules, { issuer: token.issuer, configured: issuer.url, claims });
    const publicKey = await provenKey(key, identity.challenge, clientKeys);
    const request = createHash('sha256')
      .update(token.hash)
      .update(hash('sha256', publicKey.spki, 'buffer'));
    request.update(key.kind).update(key.kind === 'csr' ? key.content : key.proof);
    return { token, identity, rule, publicKey, request: request.digest(), client };
  }

  /** The same request, while it is under way and after, has one answer. */
  async #once(asked: Asked): Promise<IssuedCertificate> {
    const name = asked.request.toString('latin1');
    let issued = this.#underWay.get(name);
    if (issued === undefined) {
      issued = this.#answer(asked).finally(() => this.#underWay.delete(name));
      this.#underWay.set(name, issued);
    }
    return issued;
  }

  async #answer(asked: Asked): Promise<IssuedCertificate> {
    const { ledger, now } = this.#parts;
    const kept = await ledger.answerTo(asked.request, new Date(now().getTime() + USABLE_MS));
    const chain = kept && this.#chains.find((known) => Buffer.compare(chainName(known), kept.issuer) === 0);
    if (kept !== undefined && chain !== undefined) return { leaf: kept.certificate, chain };
    return this.#withinLimit(asked.token, () => this.#certify(asked));
  }

  async #withinLimit<T>(token: UnverifiedToken, body: () => Promise<T>): Promise<T> {
    const { certificatesPerToken: most, ledger } = this.#parts;
    if (most === undefined) return body();
    const name = Buffer.from(token.hash).toString('latin1');
    const before = this.#tokensUnderWay.get(name) ?? 0;
    this.#tokensUnderWay.set(name, before + 1);
    try {
      // What is under way was counted before it is recorded, so that two at a time do not both find room.
      if ((await ledger.issuedBy(token.hash)) + before >= most)
        throw new CertificateRefusal(
          'token-used-up',
          `the identity token was used already, and one gets ${most} certificate${most === 1 ? '' : 's'} at most`,
        );
      return await body();
    } finally {
      const left = (this.#tokensUnderWay.get(name) ?? 1) - 1;
      if (left === 0) this.#tokensUnderWay.delete(name);
      else this.#tokensUnderWay.set(name, left);
    }
  }

  async #certify(asked: Asked): Promise<IssuedCertificate> {
    const { now, ledger } = this.#parts;
    const issuance = this.#issuance;
    const { authority } = issuance;
    const time = now();
    const [issuer] = authority.chain;
    if (!isValid(authority.chain, time))
      throw new CertificateRefusal(
        'authority-ended',
        `the certificate authority issues nothing: its own certificate is valid from ${issuer.notBefore.toISOString()} to ${issuer.notAfter.toISOString()}; whoever runs it has to rotate it ('bulla keys rotate ca')`,
      );
    const { identity, publicKey } = asked;
    const serialNumber = randomSerialNumber();
    const notBefore = new Date(Math.floor(time.getTime() / 1000) * 1000);
    const notAfter = new Date(notBefore.getTime() + LIFE_MS);
    const leafRequest = { publicKey, name: identity.name, claims: identity.claims, serialNumber, notBefore, notAfter };
    const draft = draftLeaf(leafRequest, issuer, authority.signer.algorithm);
    const sct = await logPrecertificate(draft, issuance, time);
    const leaf = await finishLeaf(draft, [sct], authority.signer);
    const outcome: IssuedUse = {
      kind: 'issued',
      rule: asked.rule.name,
      request: asked.request,
      serial: serialNumber,
      key: hash('sha256', publicKey.spki, 'buffer'),
      name: identity.name.value,
      certificate: leaf,
      issuer: chainName(authority.chain),
      notAfter,
    };
    await ledger.record({ ...useOf(asked.token, asked.client), time, outcome });
    return { leaf, chain: authority.chain };
  }
}

function useOf(token: UnverifiedToken, client: string): Omit<TokenUse, 'time' | 'outcome'> {
  const { sub } = token.claims;
  return { issuer: token.issuer, subject: typeof sub === 'string' ? sub : '', token: token.hash, client };
}

function withoutDoubles(chains: readonly CertificateChain[]): readonly CertificateChain[] {
  const known = new Map<string, CertificateChain>();
  for (const chain of chains) {
    const name = Buffer.from(chainName(chain)).toString('latin1');
    if (!known.has(name)) known.set(name, chain);
  }
  return [...known.values()];
}

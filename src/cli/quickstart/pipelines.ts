// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { signImage, verifyImage, type Expectation } from '../../image/index.ts';
import {
  chooseSigningServices,
  decodeIdentityToken,
  expectedSeal,
  openKeylessSigner,
  openWitnesses,
  type KeylessSigner,
} from '../../keyless/index.ts';
import type { Digest, Repository } from '../../oci/index.ts';
import { compileIdentity, decodeSigningConfig, decodeTrustedRoot, type TrustedRoot } from '../../trust/index.ts';
import { mintStackToken } from '../../up/index.ts';
import { HttpClient } from '../../wire/index.ts';
import { actOfRefusal, actOfVerdict, type Act } from './act.ts';
import { pushService, type Scene } from './scene.ts';

/** Who may sign, by the rules of this stage; and who may not. */
const PRODUCTION = 'https://ci.example.com/platform/release';
const UNKNOWN = 'https://ci.example.com/somebody/fork';

/** The one rule of this stage. @param issuer the stack's own */
export function onlyProduction(issuer: string): string {
  return `rules:
  - name: production
    issuer: ${issuer}
    claims: { sub: ${PRODUCTION}, environment: production }
`;
}

/** What pipelines do without any key: one is known to the stack, the other is not. */
export async function* pipelines(scene: Scene): AsyncGenerator<Act> {
  const { endpoints } = scene;
  const now = new Date();
  const http = new HttpClient();
  const trustedRoot = decodeTrustedRoot(await readFile(endpoints.trustedRoot), 'trusted_root.json');
  const config = decodeSigningConfig(await readFile(endpoints.signingConfig), 'signing_config.json');
  const services = chooseSigningServices(config, { now, certificate: true });
  const certified = async (subject: string, environment: string): Promise<KeylessSigner> => {
    const text = await mintStackToken({ ...scene.tokens, subject, claims: { environment }, now: new Date() });
    const token = decodeIdentityToken(text, { clientId: 'sigstore', now: new Date() });
    return await openKeylessSigner({ authority: { url: endpoints.fulcio }, token, http });
  };

  yield await actOfRefusal(
    'an unknown pipeline asks for a certificate',
    certified(UNKNOWN, 'production'),
    'service-refused',
  );
  const image = scene.repository('platform/released-api');
  const digest = await pushService(scene, image, '1.0', 'I was released by a pipeline');
  const signer = await certified(PRODUCTION, 'production');
  const expectation = await expectedSeal(signer, services, { trustedRoot, now });
  const witnesses = openWitnesses(services, { http, trustedRoot });
  await signImage(image, digest, { signer, witnesses, expectation, now });
  const why = `${PRODUCTION}: certificate for ten minutes, logged, timestamped`;
  yield { tried: 'the production pipeline seals its image', happened: 'done', why, asExpected: true };

  const stage = { image, digest, trustedRoot, issuer: endpoints.issuer };
  yield actOfVerdict('verify that this pipeline sealed it', await verifyBy(stage, PRODUCTION), 'trusted');
  yield actOfVerdict('demand another pipeline', await verifyBy(stage, UNKNOWN), 'identity-subject-mismatch');
}

interface Stage {
  readonly image: Repository;
  readonly digest: Digest;
  readonly trustedRoot: TrustedRoot;
  readonly issuer: string;
}

async function verifyBy(
  { image, digest, trustedRoot, issuer }: Stage,
  subject: string,
): ReturnType<typeof verifyImage> {
  const identity = await compileIdentity({ subject: { exact: subject }, issuer: { exact: issuer } });
  const signers: Expectation['signers'] = {
    kind: 'identities',
    identities: [identity],
    evidence: { trustedRoot, now: new Date() },
  };
  return await verifyImage(image, digest, { signers });
}

// SPDX-License-Identifier: Apache-2.0
import type { TrustAnchor } from './stack-instructions.ts';
import type { AnsweredRequest, HttpClient, TlsFiles } from '../wire/index.ts';

/** How a stack is started. */
export interface StartStackOptions {
  /** the data directory; made if it is missing, owned by this process alone */
  readonly data: string;
  /** where to listen; as at the first start unless told, and there `127.0.0.1:5080`. Port 0 picks a free one, which later starts go on with */
  readonly listen?: { readonly host: string; readonly port: number } | undefined;
  /** where clients reach it; recorded at the first start, `http[s]://HOST:PORT` of the listener unless told */
  readonly url?: string | undefined;
  readonly tls?: TlsFiles | undefined;
  /** path of an htpasswd file: who may use the registry */
  readonly htpasswd?: string | undefined;
  readonly insecureListen?: boolean | undefined;
  /** encrypts the keys */
  readonly password?: string | undefined;
  readonly curve?: 'p256' | 'p384' | undefined;
  readonly offlineRoot?: boolean | undefined;
  /** whose tokens are taken, in Fulcio's format */
  readonly issuersFile?: string | undefined;
  /** which tokens get a certificate; `DIR/rules.yaml` unless told, which the first start writes */
  readonly rulesFile?: string | undefined;
  /** what the first start writes there, given the URL of the built-in issuer; whoever has a token of that one unless told */
  readonly firstRules?: ((issuer: string) => string) | undefined;
  /** people, clients and workloads of the built-in issuer */
  readonly accountsFile?: string | undefined;
  /** `{year}.log.example` */
  readonly logHost?: string | undefined;
  readonly witnessPolicyFile?: string | undefined;
  readonly witnessRequired?: boolean | undefined;
  /** a folder, or a URL to which checkpoints are PUT */
  readonly checkpointCopy?: string | undefined;
  readonly certificatesPerToken?: number | undefined;
  readonly writeOnce?: readonly string[] | undefined;
  readonly mutable?: readonly string[] | undefined;
  readonly now?: (() => Date) | undefined;
  /** asks issuers and witnesses */
  readonly http?: HttpClient | undefined;
  /** told once the data directory is this process's alone: what an earlier one has left may be put away from here on */
  readonly onOwned?: (() => void) | undefined;
  /** told when the TUF root has changed while the stack serves: what a new client was told to begin with is no longer the newest */
  readonly onNewRoot?: ((anchor: TrustAnchor) => void) | undefined;
  readonly onWarning: (message: string) => void;
  readonly log?: ((request: AnsweredRequest) => void) | undefined;
}

// SPDX-License-Identifier: Apache-2.0

/** Who asks. */
export interface Principal {
  /** empty for anybody */
  readonly name: string;
}

/** What somebody wants to do with a repository. */
export type Action = 'pull' | 'push' | 'delete';

/** Decides who somebody is and what he may do. */
export interface Access {
  /** What a 401 says in WWW-Authenticate. */
  readonly challenge: string;
  /**
   * Who sends these credentials.
   *
   * @param authorization the header of that name
   * @returns undefined where they are missing or wrong; `busy` where too many are waiting to be checked
   */
  authenticate(authorization: string | undefined): Promise<Principal | undefined | 'busy'> | Principal;
  /** Whether he may do this. Asked again for each repository that a request touches: a mount reads its source. */
  allows(principal: Principal, action: Action, repository: string): boolean;
}

/** Anybody may do anything: for a registry that only this machine reaches. */
export const openAccess: Access = {
  challenge: '',
  authenticate: () => ({ name: '' }),
  allows: () => true,
};

import type { TlsOptions } from 'node:tls';
import type { Token } from './token.ts';

/**
 * With a pre-shared key both ends prove that they have it before either says anything else, and do not say it: whoever waits at a port
 * in the place of one of ours learns nothing, nor can they pass it on. TLS 1.3 has that only for resumption in Node.
 * The one suite has forward secrecy.
 */
const version = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
} as const;
const identity = 'termite';

/** For node:https: only peers with this token get as far as a request. */
export function secureServer({ key }: Token): TlsOptions {
  return { ...version, pskCallback: (_socket, name) => (name === identity ? key : null) };
}

/** For tls.connect: an error of the handshake unless the peer has this token. */
export function secureClient({ key }: Token) {
  return {
    ...version,
    pskCallback: () => ({ psk: key, identity }),
    // There are no certificates.
    checkServerIdentity: () => undefined,
  };
}

/** Whether a connection failed since the peer has another token, or knows of none. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_SSL_');
}
